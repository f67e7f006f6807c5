import { randomInt } from 'node:crypto';
import { join } from 'node:path';
import { mountOptions } from '../daemon/mount-options.ts';
import { runtimeDirectory } from '../daemon/options.ts';
import { nearestWord } from '../domain/did-you-mean.ts';
import type { DriverContext } from '../domain/ports/hypervisor.ts';
import type { Logger } from '../domain/ports/logger.ts';
import { NfioError } from '../errors/index.ts';

/** What a driver that no mount owns is built from. */
export interface HypervisorOptions {
  /**
   * Owner of the guests, `[a-z0-9]{8}`, part of the names of their namespaces and cgroups. Default: a random one. Give one, and keep
   * it, to find guests again (`recover`) in a later process. Never that of a mount: two drivers would manage the same guests.
   */
  readonly mountId?: string;
  /** Directory for what need not survive a reboot. Default `/run/nfio/` and the mountId. */
  readonly runDir?: string;
  /** Docker: the socket of this machine's engine. Default `/var/run/docker.sock`. */
  readonly dockerSocket?: string;
  /** Docker: whether engines may be spoken to over plain TCP. Default false. */
  readonly insecureEngines?: boolean;
  /** Libvirt: URI of this machine's. Default `qemu:///system`. */
  readonly libvirtUri?: string;
  /** Default: silent. */
  readonly logger?: Logger;
}

/** The same, complete and checked. */
export interface ParsedHypervisorOptions extends DriverContext {
  readonly dockerSocket: string;
  readonly insecureEngines: boolean;
  readonly libvirtUri: string;
}

const silent: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const names = ['mountId', 'runDir', 'dockerSocket', 'insecureEngines', 'libvirtUri', 'logger'];

/**
 * Checks the options of a hypervisor and fills in the rest.
 *
 * @throws NfioError InvalidValueError with a sentence for an option that is unknown or has no value that it can have.
 */
export function parseHypervisorOptions(given: HypervisorOptions): ParsedHypervisorOptions {
  if (typeof given !== 'object' || given === null) throw invalid('The options of a hypervisor are an object, such as {}.');
  for (const name of Object.keys(given)) if (!names.includes(name)) throw unknownOption(name);
  const { mountId = randomMountId(), runDir, logger = silent } = given;
  if (!/^[a-z0-9]{8}$/.test(mountId)) throw invalid('mountId is eight lower-case letters or digits, such as lab00001.');
  return {
    mountId,
    runDir: runDir === undefined ? join(runtimeDirectory, mountId) : mountOptions.root.parse(runDir, 'runDir'),
    logger,
    dockerSocket: parse('dockerSocket', given),
    insecureEngines: parse('insecureEngines', given),
    libvirtUri: parse('libvirtUri', given),
  };
}

/** An option that mounts have too. */
function parse<Name extends 'dockerSocket' | 'insecureEngines' | 'libvirtUri'>(
  name: Name,
  given: HypervisorOptions,
): ParsedHypervisorOptions[Name] {
  const { fallback, parse: parseValue } = mountOptions[name];
  return (given[name] === undefined ? fallback : parseValue(given[name], name)) as ParsedHypervisorOptions[Name];
}

function unknownOption(name: string): NfioError {
  const nearest = nearestWord(name, names);
  const hint = nearest === undefined ? `There are: ${names.join(', ')}.` : `Did you mean ${nearest}?`;
  return invalid(`${name} is not an option of a hypervisor. ${hint}`);
}

function invalid(message: string): NfioError {
  return new NfioError('InvalidValueError', { message });
}

function randomMountId(): string {
  return Array.from({ length: 8 }, () => randomInt(36).toString(36)).join('');
}
