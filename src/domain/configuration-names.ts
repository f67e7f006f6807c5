/** Name of the file in config/ that configures a VNF. */
export const configurationName = 'nf_conf';

/** Directory in config/ that shows, under the same name, what runs: nf.io writes it, and who restores a VNF that is not deployed. */
export const appliedName = '.applied';
