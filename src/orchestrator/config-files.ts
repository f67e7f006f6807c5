import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Actor, authorOf, rootActor } from '../domain/authority.ts';
import { parseBootConf } from '../domain/boot-conf.ts';
import { configurationName } from '../domain/configuration-names.ts';
import { type ConfigCandidate, mostConfigurationBytes } from '../domain/middlebox.ts';
import type { BootOptions } from '../domain/ports/hypervisor.ts';
import type { VnfRecord } from '../domain/records.ts';
import { errnoName, errnoOf, NfioError } from '../errors/index.ts';
import type { Model } from './model.ts';
import { requireMay } from './require.ts';

/** Largest boot.conf that is read, bytes. */
const bootConfLimit = 64 * 1024;

/** A file of config/. */
interface ConfigFile {
  readonly text: string;
  readonly stats: Stats;
}

/**
 * What boot.conf asks for, and who says so; nothing when there is none.
 *
 * @throws InvalidValueError when it is not valid, NotPermittedError (EPERM) when someone who is not root could have written
 *   that the guest gets powers over this machine.
 */
export function readBootConf(model: Model, vnf: VnfRecord): { readonly options: BootOptions; readonly author: Actor } {
  const path = `${model.parts.store.configDir(vnf)}/boot.conf`;
  const file = readConfig(path, bootConfLimit);
  const options = parseBootConf(file?.text ?? '');
  if (file === undefined) return { options, author: rootActor };
  const author = authorOf(file.stats, statSync(dirname(path)));
  requireMay(author, 'boot', options);
  return { options, author };
}

/** The configuration in config/nf_conf, undefined when there is no such file or the type has no configuration. */
export function readCandidate(model: Model, vnf: VnfRecord): ConfigCandidate | undefined {
  if (model.middlebox(vnf.type).configuration === undefined) return undefined;
  const file = readConfig(join(model.parts.store.configDir(vnf), configurationName), mostConfigurationBytes);
  return file === undefined ? undefined : { text: file.text, guestPath: guestPathOf(configurationName) };
}

/**
 * What a file held that is nf_conf, or is to be; undefined when the type has no configuration.
 *
 * @param content undefined: what has the name is no regular file, which is refused.
 * @param path of the file below config/ as yet.
 */
export function candidateOf(
  model: Model,
  vnf: VnfRecord,
  content: Uint8Array | undefined,
  path = configurationName,
): ConfigCandidate | undefined {
  if (model.middlebox(vnf.type).configuration === undefined) return undefined;
  if (content === undefined) throw notRegular(configurationName);
  if (content.length > mostConfigurationBytes)
    throw tooLarge(configurationName, `more than ${mostConfigurationBytes} bytes`, mostConfigurationBytes);
  return { text: Buffer.from(content).toString(), guestPath: guestPathOf(path) };
}

/** True when an open file has the name nf_conf: it may have lost it to another since it was saved. */
export function isStillConfiguration(model: Model, vnf: VnfRecord, fd: number): boolean {
  const named = lstatSync(join(model.parts.store.configDir(vnf), configurationName), { bigint: true, throwIfNoEntry: false });
  const { dev, ino } = fstatSync(fd, { bigint: true });
  return named?.dev === dev && named.ino === ino;
}

/** The guest sees config/ at /etc/nfio. */
export const nfConfInGuest = '/etc/nfio/nf_conf';

function guestPathOf(path: string): string {
  return `/etc/nfio/${path}`;
}

/** Reads a file of config/ whole, at once, for most often there is none; its owner may have made it a link or a FIFO, which is refused. */
function readConfig(path: string, limit: number): ConfigFile | undefined {
  if (!hasName(path)) return undefined; // an exception would cost more
  const name = path.slice(path.lastIndexOf('/') + 1);
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    const errno = errnoName(errnoOf(cause)) ?? 'EIO';
    throw new NfioError('ConfigurationError', { message: `${name} cannot be read (${errno}). Make it a regular file`, cause });
  }
  try {
    return readOpened(file, name, limit);
  } finally {
    closeSync(file);
  }
}

/** @throws ConfigurationError, which says what is wrong with the directory. */
function hasName(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (cause) {
    const directory = dirname(path);
    const errno = errnoName(errnoOf(cause)) ?? 'EIO';
    const mend =
      errno === 'ENOTDIR'
        ? `It is no directory. Run: mv ${directory} ${directory}.old; mkdir -m 700 ${directory}`
        : `See why: ls -ld ${directory}`;
    throw new NfioError('ConfigurationError', { message: `${directory} cannot be read (${errno}). ${mend}`, errno, cause });
  }
}

function readOpened(fd: number, name: string, limit: number): ConfigFile {
  const stats = fstatSync(fd);
  if (!stats.isFile()) throw notRegular(name);
  if (stats.size > limit) throw tooLarge(name, `${stats.size} bytes`, limit);
  // From its beginning, wherever the descriptor is.
  return { text: readFileSync(`/proc/self/fd/${fd}`, 'utf8'), stats };
}

function tooLarge(name: string, size: string, limit: number): NfioError {
  return new NfioError('ConfigurationError', { message: `${name} has ${size}, and at most ${limit} are read. Make it smaller` });
}

function notRegular(name: string): NfioError {
  return new NfioError('ConfigurationError', { message: `${name} is not a regular file. Make it one` });
}
