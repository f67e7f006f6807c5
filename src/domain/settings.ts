import { NfioError } from '../errors/index.ts';
import { parseForward } from './group-forwarding.ts';
import { formatAddress, formatCidr, networkOf, parseAddress, parseCidr } from './ip.ts';
import { checkName } from './names.ts';
import { hypervisorNames } from './ports/hypervisor.ts';
import { canonicalLimit, limited } from './quotas.ts';
import { parseBytes, parseDuration, parsePercent, parseRate, parseVcpu } from './units.ts';

/** Turns what a user wrote into the value's canonical text. An empty text unsets the value and is never given to it. */
type SettingParser = (text: string) => string;

/** Values of a VNF, by path below its directory. */
export const vnfSettings: Readonly<Record<string, SettingParser>> = {
  'machine/ip': singleWord,
  'machine/vm.image': singleWord,
  'machine/vm.vcpu': (text) => String(parseVcpu(text)),
  'machine/vm.memory': (text) => String(parseBytes(text, { least: leastMemory })),
};

/** Values of a port. */
export const portSettings: Readonly<Record<string, SettingParser>> = {
  network: networkName,
  address: (text) =>
    text
      .split(/[\s,]+/)
      .map((each) => formatCidr(parseCidr(each)))
      .join('\n'),
  mac: parseMac,
  state: (text) => oneOf(text, ['up', 'down']),
  mtu: parseMtu,
  rate: (text) => String(parseRate(text)),
  delay: (text) => String(parseDuration(text)),
  loss: (text) => String(parsePercent(text)),
  spoof: (text) => oneOf(text, ['off', 'on']),
};

/** Values of a network. */
export const networkSettings: Readonly<Record<string, SettingParser>> = {
  subnet: (text) => onePerVersion('subnet', text.split(/[\s,]+/).map(parseSubnet)),
  gateway: (text) =>
    onePerVersion(
      'gateway',
      text.split(/[\s,]+/).map((each) => formatAddress(parseAddress(each))),
    ),
  uplink: parseInterfaceName,
  forward: parseForward,
  trusted: parseVnfs,
};

/** Values of a host. */
export const hostSettings: Readonly<Record<string, SettingParser>> = {
  address: singleWord,
  hypervisor: (text) => oneOf(text, hypervisorNames),
  certificates: absolutePath,
};

/** Values of an entry of quotas/. */
export const quotaSettings: Readonly<Record<string, SettingParser>> = Object.fromEntries(
  limited.map((what) => [what, (text: string) => canonicalLimit(what, text)]),
);

/** Values of a service chain. What its match means, nft decides. */
export const chainSettings: Readonly<Record<string, SettingParser>> = {
  ingress: networkName,
  egress: networkName,
  match: (text) => text.replaceAll(/[ \t]+/g, ' '),
  priority: parsePriority,
  'policy/failure': (text) => oneOf(text, ['closed', 'open']),
};

/** Values of a hop. */
export const hopSettings: Readonly<Record<string, SettingParser>> = {
  mode: (text) => oneOf(text, ['routed', 'transparent', 'mirror']),
};

/** A Linux guest with less does not start. */
const leastMemory = 4 * 1024 * 1024;

/** Longest value anyone may write, bytes. */
const longestValue = 4096;

/**
 * The text in what was written to a value file: valid UTF-8 without NUL, one trailing newline left out.
 *
 * @throws InvalidValueError with EFBIG when it is too long, EILSEQ when it is not UTF-8, EINVAL when it holds a NUL byte.
 */
export function textOf(data: Uint8Array, limit: number = longestValue): string {
  if (data.length > limit) {
    throw new NfioError('InvalidValueError', { message: `${data.length} bytes are too many: at most ${limit}`, errno: 'EFBIG' });
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
  } catch (cause) {
    throw new NfioError('InvalidValueError', { message: 'what was written is not valid UTF-8', errno: 'EILSEQ', cause });
  }
  if (text.includes('\0')) throw new NfioError('InvalidValueError', { message: 'what was written contains a NUL byte' });
  return text.replace(/\r?\n$/, '');
}

/**
 * The canonical text of a setting.
 *
 * @throws InvalidValueError (EINVAL) when it is not valid.
 */
export function parseSetting(table: Readonly<Record<string, SettingParser>>, path: string, text: string): string {
  const parse = Object.hasOwn(table, path) ? table[path] : undefined;
  if (parse === undefined) throw new NfioError('NotPermittedError', { message: `${path} cannot be written`, errno: 'EACCES' });
  const trimmed = text.trim();
  return trimmed === '' ? '' : parse(trimmed);
}

function networkName(text: string): string {
  checkName('network', text);
  return text;
}

function parsePriority(text: string): string {
  if (/^\d{1,5}$/.test(text) && Number(text) <= 65535) return String(Number(text));
  throw new NfioError('InvalidValueError', { message: `priority "${text.slice(0, 80)}" is not a number from 0 to 65535` });
}

function singleWord(text: string): string {
  if (/[\s\p{Cc}]/u.test(text)) throw new NfioError('InvalidValueError', { message: `${JSON.stringify(text)} must be one word` });
  return text;
}

function absolutePath(text: string): string {
  if (!text.startsWith('/'))
    throw new NfioError('InvalidValueError', { message: `${JSON.stringify(text.slice(0, 80))} is not an absolute path` });
  return text;
}

function oneOf(text: string, values: readonly string[]): string {
  if (!values.includes(text)) {
    throw new NfioError('InvalidValueError', { message: `${JSON.stringify(text.slice(0, 80))} is not one of ${values.join(', ')}` });
  }
  return text;
}

function parseMac(text: string): string {
  const mac = text.toLowerCase();
  if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(mac) || (Number.parseInt(mac, 16) & 1) === 1 || mac === '00:00:00:00:00:00') {
    throw new NfioError('InvalidValueError', { message: `"${text.slice(0, 80)}" is not a unicast MAC address such as 02:00:00:00:00:01` });
  }
  return mac;
}

function parseMtu(text: string): string {
  const mtu = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (mtu < 68 || mtu > 65535)
    throw new NfioError('InvalidValueError', { message: `mtu "${text.slice(0, 80)}" is not between 68 and 65535` });
  return String(mtu);
}

function parseSubnet(text: string): string {
  const cidr = parseCidr(text);
  const network = formatCidr(networkOf(cidr));
  if (network !== formatCidr(cidr)) {
    throw new NfioError('InvalidValueError', { message: `${text} is an address in a network: write the network, ${network}` });
  }
  return network;
}

/** VNFs as TYPE/NAME, one a line. */
function parseVnfs(text: string): string {
  const vnfs = [...new Set(text.split(/[\s,]+/))].sort();
  for (const vnf of vnfs) {
    const [type = '', name = '', ...more] = vnf.split('/');
    if (more.length > 0 || name === '')
      throw new NfioError('InvalidValueError', {
        message: `${JSON.stringify(vnf.slice(0, 80))} is not a VNF: write TYPE/NAME, router/r1 say`,
      });
    checkName('type', type);
    checkName('VNF', name);
  }
  return vnfs.join('\n');
}

/** One of IPv4, one of IPv6, or both, one a line. */
function onePerVersion(what: string, values: readonly string[]): string {
  const [first, second, ...more] = values;
  if (more.length > 0 || (second !== undefined && first?.includes(':') === second.includes(':')))
    throw new NfioError('InvalidValueError', {
      message: `a network has one ${what} of each version of IP at most, not ${values.join(' and ')}`,
    });
  return values.join('\n');
}

function parseInterfaceName(text: string): string {
  if (text.length > 15 || /[\s/:]/.test(text) || text === '.' || text === '..') {
    throw new NfioError('InvalidValueError', { message: `"${text.slice(0, 80)}" is not the name of a network interface` });
  }
  return text;
}
