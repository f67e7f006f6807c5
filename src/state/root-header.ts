import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { unlessAbsent } from '../errors/index.ts';
import { replaceFile, stateWriteError } from './durable-file.ts';
import { journalName } from './journal.ts';
import { recordName } from './object-files.ts';
import { objectKeys } from './object-keys.ts';
import { seal, unseal } from './seal.ts';

/** What nfio.json in a root says of it. */
export interface RootHeader {
  /** Version of the layout below the root. */
  readonly format: number;
  readonly mountId: string;
  /** Serials below this one may be in use; a start continues from here. */
  readonly serialLimit: number;
}

/** A header as a start found it. */
export interface FoundHeader {
  /** undefined: the root is new. */
  readonly header: RootHeader | undefined;
  /** Whether the copy says the same root. */
  readonly hasCopy: boolean;
  /** What was wrong with it, a sentence each. */
  readonly told: readonly string[];
}

/** The layout this version writes. */
export const currentFormat = 5;

const headerName = 'nfio.json';
/** What nfio.json is made of again should it be lost: written once, for only the limit of serials changes, which the objects tell. */
const copyName = 'nfio.copy.json';

/** A rebuilt header begins so far above every serial that is found: objects that were removed had some too. */
const serialMargin = 65_536;

/** Makes the header durable. @throws StateWriteError */
export function writeHeader(root: string, header: RootHeader): void {
  writeSealed(join(root, headerName), header);
}

/** Makes durable what a lost header is made of. @throws StateWriteError */
export function writeHeaderCopy(root: string, header: RootHeader): void {
  writeSealed(join(root, copyName), header);
}

/**
 * Reads the header of a root, or makes it again where it is lost or damaged: of its copy, and of the serials of all objects.
 *
 * @throws as node:fs does.
 */
export function findHeader(root: string): FoundHeader {
  const [header, copy] = [readSealed(join(root, headerName)), readSealed(join(root, copyName))];
  const hasCopy =
    copy !== undefined && copy !== 'damaged' && header !== 'damaged' && copy.mountId === header?.mountId && copy.format === header.format;
  if (header !== undefined && header !== 'damaged') {
    const told = copy === 'damaged' ? [`${join(root, copyName)} was damaged. It was written again`] : [];
    return { header, hasCopy, told };
  }
  const serial = highestSerial(root);
  if (header === undefined && copy === undefined && serial === undefined) return { header: undefined, hasCopy: false, told: [] };
  const whole = copy === 'damaged' ? undefined : copy;
  const { format = currentFormat, mountId = newMountId() } = whole ?? {};
  const why = `${join(root, headerName)} was ${header === undefined ? 'lost' : 'damaged'}, and was made again`;
  const lost = `${why}; so was its copy. Guests that ran are not found. See which: nfio doctor`;
  return {
    header: { format, mountId, serialLimit: (serial ?? 0) + serialMargin },
    hasCopy: whole !== undefined,
    told: [whole === undefined ? lost : `${why} of its copy`],
  };
}

/** Eight characters of `[a-z0-9]`, at random. */
export function newMountId(): string {
  return Array.from(randomBytes(8), (byte) => (byte % 36).toString(36)).join('');
}

function writeSealed(path: string, header: RootHeader): void {
  try {
    replaceFile(path, seal(`${JSON.stringify(header, undefined, 2)}\n`));
  } catch (error) {
    throw stateWriteError(path, error);
  }
}

/** undefined: there is none. Those of older versions have no checksum. */
function readSealed(path: string): RootHeader | 'damaged' | undefined {
  const text = unlessAbsent(() => readFileSync(path, 'utf8'));
  if (text === undefined) return undefined;
  try {
    const { format, mountId, serialLimit } = JSON.parse(unseal(text)) as Partial<RootHeader>;
    const isWhole = Number.isSafeInteger(format) && Number.isSafeInteger(serialLimit) && /^[a-z0-9]{8}$/.test(mountId ?? '');
    return isWhole ? ({ format, mountId, serialLimit } as RootHeader) : 'damaged';
  } catch {
    return 'damaged';
  }
}

/** Of all that have left a trace below a root; undefined: there is none. Records that are damaged count too. */
function highestSerial(root: string): number | undefined {
  const paths = [...objectKeys(root).map((key) => join(root, key, recordName)), join(root, journalName)];
  const texts = paths.map((path) => unlessAbsent(() => readFileSync(path, 'utf8')) ?? '');
  const written = texts.flatMap((text) => Array.from(text.matchAll(/\\?"serial\\?":\s*(\d+)/g), ([, serial]) => Number(serial)));
  const guests = (unlessAbsent(() => readdirSync(join(root, 'guests'))) ?? []).map((name) => Number.parseInt(name, 36));
  const serials = [...written, ...guests].filter((serial) => Number.isSafeInteger(serial));
  return serials.reduce<number | undefined>((highest, serial) => Math.max(highest ?? 0, serial), undefined);
}
