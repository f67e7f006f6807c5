import type { SegmentSpec } from '../domain/ports/network.ts';
import { NfioError } from '../errors/index.ts';

/** IFNAMSIZ of linux/if.h, without the NUL. */
const longestName = 15;

/** The network namespace that holds the segments of a mount. */
export function fabricName(mountId: string): string {
  return `nfio-${mountId}`;
}

/** The bridge of a segment, in the fabric. */
export function bridgeName(segment: Pick<SegmentSpec, 'id'>): string {
  return `br${segment.id}`;
}

/** The fabric's end of a port. */
export function fabricPortName(portId: string): string {
  return `p${portId}`;
}

/** What a tap is called in the machine's own namespace, which mounts share: their ports have the same ids. */
export function machineTapName(mountId: string, portId: string): string {
  return `p${`${mountId}${portId}`.slice(-longestName + 1)}`;
}

/** The two ends of what probes of a service chain are sent by: into the first, to come out of the second. */
export function probeDevices(chain: string): readonly [string, string] {
  return [`v${chain}`, `w${chain}`];
}

/** True for a name that the fabric's end of a port has. */
export function isFabricPort(name: string): boolean {
  return /^p[a-z0-9]{6,12}$/.test(name);
}

/** The interface in the fabric that what a tap's guest sends is led through, where that is shaped. */
export function shaperName(portId: string): string {
  return `i${portId}`;
}

/**
 * One line for ip -batch. Every word is checked, since the batch is text: nothing may end the line or begin a comment or a quotation.
 *
 * @throws InvalidValueError (EINVAL) for a word that could.
 */
export function ipLine(...words: readonly (string | number)[]): string {
  for (const word of words) {
    if (!/^[\w.:/@%+-]+$/.test(String(word))) {
      throw new NfioError('InvalidValueError', {
        message: `${JSON.stringify(String(word).slice(0, 80))} cannot be part of a network setting`,
      });
    }
  }
  return words.join(' ');
}
