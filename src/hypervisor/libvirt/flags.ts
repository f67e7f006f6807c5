/** Managed save, snapshots, NVRAM and checkpoints go with the domain (virDomainUndefineFlagsValues). */
export const undefineAll = 1 | 2 | 4 | 16;

/** VIR_DOMAIN_XML_INACTIVE: as it is defined, not as it runs. */
export const inactive = 2;

/** VIR_DOMAIN_AFFECT_LIVE: a change of what runs. */
export const live = 1;
