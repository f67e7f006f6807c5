import { isIP } from 'node:net';
import { NfioError } from '../errors/index.ts';
import { linuxCapabilities } from './capabilities.ts';
import { didYouMean } from './did-you-mean.ts';
import type { BootOptions, MachineOptions } from './ports/hypervisor.ts';
import { splitWords } from './shell-words.ts';

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** What is being read: its fields are replaced, line by line. */
interface Draft extends Mutable<BootOptions> {
  env: Record<string, string>;
  sysctl: Record<string, string>;
}

type Reader = (draft: Draft, value: string) => void;

const readers: Readonly<Record<string, Reader>> = {
  command: (draft, value) => {
    const argv = splitWords(value);
    if (argv.length === 0 || argv[0] === '') throw new Error('command is empty: leave the line out to keep the default of the type');
    draft.command = argv;
  },
  capabilities: (draft, value) => {
    draft.capabilities = [...new Set(list(value).map(capability))];
  },
  mounts: (draft, value) => {
    draft.mounts = list(value).map(mount);
  },
  dns: (draft, value) => {
    draft.dns = list(value).map(nameServer);
  },
  privileged: (draft, value) => {
    draft.privileged = truth(value);
  },
  network: (draft, value) => {
    draft.network = networkName(value);
  },
  kernel: (draft, value) => setMachine(draft, { kernel: path(value) }),
  initrd: (draft, value) => setMachine(draft, { initrd: path(value) }),
  cmdline: (draft, value) => setMachine(draft, { cmdline: value }),
  machine: (draft, value) => setMachine(draft, { machine: word(value) }),
  cpu: (draft, value) => setMachine(draft, { cpu: word(value) }),
  firmware: (draft, value) => setMachine(draft, { firmware: firmware(value) }),
  'user-data': (draft, value) => setMachine(draft, { userData: fileName(value) }),
};

/** Keys that end in a name of the user's own. */
const families: Readonly<Record<string, (draft: Draft, name: string, value: string) => void>> = {
  env: (draft, name, value) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new Error(`"${name}" cannot name an environment variable`);
    draft.env[name] = value;
  },
  sysctl: (draft, name, value) => {
    if (!/^net(\.[A-Za-z0-9_/-]+)+$/.test(name)) {
      throw new Error(`sysctl ${name}: only settings below net. are a guest's own, such as net.ipv4.ip_forward`);
    }
    if (value === '') throw new Error(`sysctl ${name} has no value`);
    draft.sysctl[name] = value;
  },
};

const knownKeys = [...Object.keys(readers), ...Object.keys(families).map((family) => `${family}.NAME`)];

/**
 * Parses boot.conf: `key=value` lines, used when a guest is deployed. Empty lines and lines that begin with # mean nothing.
 *
 * | key | value |
 * |---|---|
 * | command | the main process, its words quoted as in a shell, nothing expanded |
 * | env.NAME | an environment variable of it |
 * | capabilities | Linux capabilities to have beyond the driver's default, by comma |
 * | sysctl.NAME | a kernel setting below net. |
 * | mounts | SOURCE:TARGET[:ro], absolute paths, by comma |
 * | dns | name servers, by comma |
 * | privileged | yes or no |
 * | network | a network of the hypervisor's own besides the ports (Docker: `bridge`, or one made by `docker network create`) |
 * | kernel, initrd | absolute paths on the machine; of virtual machines, as are all that follow |
 * | cmdline | more arguments of the kernel |
 * | machine, cpu | machine type and processor model, as QEMU and libvirt name them |
 * | firmware | bios or efi |
 * | user-data | a file in config/ with user data for cloud-init |
 *
 * @throws InvalidValueError (EINVAL) that names the line.
 */
export function parseBootConf(text: string): BootOptions {
  const draft: Draft = {
    command: undefined,
    env: {},
    capabilities: [],
    sysctl: {},
    mounts: [],
    privileged: false,
    dns: [],
    network: undefined,
  };
  const seen = new Map<string, number>();
  for (const [index, line] of text.split('\n').entries()) {
    const content = line.trim();
    if (content === '' || content.startsWith('#')) continue;
    try {
      readLine(draft, content, { number: index + 1, seen });
    } catch (cause) {
      throw new NfioError('InvalidValueError', { message: `boot.conf line ${index + 1}: ${(cause as Error).message}` });
    }
  }
  return draft;
}

/** Options with which a guest can act on the machine it runs on, when they are set. */
export type PowerOptions = Pick<BootOptions, 'privileged' | 'capabilities' | 'mounts' | 'network'>;

/** True for options with which a guest can act on the machine it runs on. */
export function givesPower({ privileged, capabilities, mounts, network }: PowerOptions): boolean {
  return privileged || capabilities.length > 0 || mounts.length > 0 || network !== undefined;
}

function readLine(draft: Draft, content: string, line: { readonly number: number; readonly seen: Map<string, number> }): void {
  if (content.includes('\0')) throw new Error('there is a NUL byte in it');
  const equals = content.indexOf('=');
  if (equals < 0) throw new Error(`"${content.slice(0, 40)}" is not of the form key=value`);
  const key = content.slice(0, equals).trimEnd();
  const first = line.seen.get(key);
  if (first !== undefined) throw new Error(`${key} is given a second time, first on line ${first}`);
  line.seen.set(key, line.number);
  assign(draft, key, content.slice(equals + 1).trim());
}

function assign(draft: Draft, key: string, value: string): void {
  const dot = key.indexOf('.');
  const family = key.slice(0, Math.max(dot, 0));
  if (Object.hasOwn(families, family)) {
    families[family]?.(draft, key.slice(dot + 1), value);
  } else if (Object.hasOwn(readers, key)) {
    readers[key]?.(draft, value);
  } else {
    const hint = didYouMean(key, Object.keys(readers)) || `: the keys are ${knownKeys.join(', ')}`;
    throw new Error(`unknown key "${key.slice(0, 40)}"${hint}`);
  }
}

function list(value: string): string[] {
  return value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function capability(text: string): string {
  const name = text.toLowerCase().replace(/^cap_/, '');
  if (linuxCapabilities.includes(name)) return name;
  throw new Error(`there is no capability "${text.slice(0, 40)}"${didYouMean(name, linuxCapabilities)}`);
}

function mount(text: string): BootOptions['mounts'][number] {
  const [source = '', target = '', option = 'rw', ...rest] = text.split(':');
  if (rest.length > 0 || (option !== 'ro' && option !== 'rw')) throw new Error(`mount "${text}" is not of the form SOURCE:TARGET[:ro]`);
  for (const path of [source, target]) {
    if (!path.startsWith('/') || path.split('/').includes('..'))
      throw new Error(`mount "${text}": "${path}" is not an absolute path without ..`);
  }
  if (/^\/*$/.test(target)) throw new Error(`mount "${text}" would hide the whole of the guest`);
  return { source, target, readOnly: option === 'ro' };
}

function nameServer(text: string): string {
  if (isIP(text) === 0) throw new Error(`name server "${text.slice(0, 40)}" is not an IP address`);
  return text;
}

/** The machine's own network (`host`), and that of another guest, would be no network for this guest but power over them. */
function networkName(text: string): string {
  if (/^[A-Za-z0-9][\w.-]{0,63}$/.test(text) && !['host', 'none', 'default'].includes(text)) return text;
  throw new Error(`network is "${text.slice(0, 40)}": write the name of a network that the hypervisor has, such as bridge`);
}

function setMachine(draft: Draft, part: MachineOptions): void {
  draft.machine = { ...draft.machine, ...part };
}

function path(text: string): string {
  if (text.startsWith('/')) return text;
  throw new Error(`"${text.slice(0, 40)}" is not an absolute path`);
}

function word(text: string): string {
  if (/^[\w.-]{1,64}$/.test(text)) return text;
  throw new Error(`"${text.slice(0, 40)}" is not a name such as q35 or EPYC`);
}

function firmware(text: string): 'bios' | 'efi' {
  if (text === 'bios' || text === 'efi') return text;
  throw new Error(`firmware is "${text.slice(0, 40)}": write bios or efi`);
}

function fileName(text: string): string {
  if (/^[^/\0]{1,255}$/.test(text) && text !== '.' && text !== '..') return text;
  throw new Error(`user-data is "${text.slice(0, 40)}": write the name of a file in config/`);
}

function truth(value: string): boolean {
  if (['yes', 'true', '1'].includes(value.toLowerCase())) return true;
  if (['no', 'false', '0'].includes(value.toLowerCase())) return false;
  throw new Error(`privileged is "${value.slice(0, 40)}": write yes or no`);
}
