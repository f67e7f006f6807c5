import { nearestWord } from '../domain/did-you-mean.ts';
import { hypervisorNames } from '../domain/ports/hypervisor.ts';
import { NfioError } from '../errors/index.ts';
import { flag, libvirtUri, milliseconds, type Option, path, socket, word } from './option-kinds.ts';
import type { MountOptions, MountRequest, OptionsToMountAgain } from './options.ts';

const logLevels = ['error', 'warn', 'info', 'debug'] as const;

/**
 * Every option of a mount, once: the command line makes its flags and help of it, the library its checks, and the daemon starts with
 * what {@link parseMountOptions} made of either.
 */
export const mountOptions = {
  root: path(
    { flag: 'root', value: 'DIR', aliases: ['nfio_root'], summary: 'Directory of all persistent state (default /var/lib/nfio)' },
    '/var/lib/nfio',
  ),
  hypervisor: word(
    { flag: 'hypervisor', summary: 'Where VNFs run: netns (default), docker or libvirt' },
    { choices: hypervisorNames },
    'netns',
  ),
  modules: path(
    { flag: 'modules', value: 'DIR', aliases: ['middlebox_module_root'], summary: 'Directory of your own middlebox modules' },
    undefined,
  ),
  dockerSocket: socket(
    { flag: 'docker-socket', value: 'PATH', summary: "Socket of this machine's Docker Engine (default /var/run/docker.sock)" },
    '/var/run/docker.sock',
  ),
  insecureEngines: flag({ flag: 'insecure-engines', summary: 'Allow Docker Engines at HOST:PORT, without TLS or ssh' }, false),
  libvirtUri: libvirtUri(
    { flag: 'libvirt-uri', value: 'URI', summary: "This machine's libvirt (default qemu:///system)" },
    'qemu:///system',
  ),
  foreground: flag({ flag: 'foreground', summary: 'Stay in the foreground, log to standard error, unmount on Ctrl-C' }, false),
  logLevel: word(
    { flag: 'log-level', aliases: ['log_level'], summary: 'How much is logged (default info)' },
    { choices: logLevels, synonyms: { warning: 'warn', critical: 'error' } },
    'info',
  ),
  attrTimeoutMs: milliseconds(
    { flag: 'attr-timeout', value: 'MS', summary: 'How long the kernel may cache attributes, milliseconds (default 1000)' },
    1000,
  ),
} satisfies { readonly [Name in keyof Omit<MountOptions, 'mountpoint' | 'resend'>]: Option<MountOptions[Name]> };

const mountpoint = path({ flag: 'mountpoint', summary: 'An empty directory' }, undefined);
const resend = flag({ flag: 'resend', summary: "Use the kernel's help to replace a server that died" }, true);
const all: Readonly<Record<string, Option<unknown>>> = { ...mountOptions, mountpoint, resend };

/**
 * What a mount is started with, of what a user gave: each value checked, paths made absolute, defaults filled in.
 *
 * @param given an object of options; what is undefined in it counts as not given.
 * @param nameOf what the user calls an option: `dockerSocket` in a program, `--docker-socket` on a command line.
 * @throws NfioError InvalidValueError (EINVAL) with a sentence for what is missing, unknown or no value of its option.
 */
export function parseMountOptions(given: MountRequest, nameOf: (key: string) => string = (key) => key): MountOptions {
  if (typeof given !== 'object' || given === null) {
    throw new NfioError('InvalidValueError', { message: "The options of a mount are an object, such as { mountpoint: '/nfio' }." });
  }
  for (const key of Object.keys(given)) if (!Object.hasOwn(all, key)) throw unknownOption(key, nameOf);
  if (given.mountpoint === undefined) {
    throw new NfioError('InvalidValueError', {
      message: `${nameOf('mountpoint')} is missing. Give an empty directory, such as { mountpoint: '/nfio' }.`,
    });
  }
  const values = Object.entries(all).map(([key, option]) => {
    const value = (given as unknown as Readonly<Record<string, unknown>>)[key];
    return [key, value === undefined ? option.fallback : option.parse(value, nameOf(key))];
  });
  return Object.fromEntries(values) as MountOptions;
}

/** Options without which another mount of the same root would not reach the VNFs that this one made, or not know their types. */
const kept = [
  'hypervisor',
  'modules',
  'dockerSocket',
  'insecureEngines',
  'libvirtUri',
] as const satisfies readonly (keyof OptionsToMountAgain)[];

/** What a command line that mounts the same root again has to have besides it, word by word: nothing where all is as by default. */
export function wordsToMountAgain(options: OptionsToMountAgain): string[] {
  return kept.flatMap((key) => {
    const { flag: name, type, fallback } = mountOptions[key];
    const value = options[key];
    if (value === undefined || value === fallback) return [];
    return type === 'boolean' ? [`--${name}`] : [`--${name}`, String(value)];
  });
}

function unknownOption(key: string, nameOf: (key: string) => string): NfioError {
  const known = ['mountpoint', ...Object.keys(mountOptions)].map(nameOf);
  const nearest = nearestWord(key, known);
  const hint = nearest === undefined ? ` There are: ${known.join(', ')}.` : ` Did you mean ${nearest}?`;
  return new NfioError('InvalidValueError', { message: `${key} is not an option of a mount.${hint}` });
}
