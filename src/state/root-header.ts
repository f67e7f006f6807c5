import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { unlessAbsent } from '../errors/index.ts';
import { overwriteFile, replaceFile, stateWriteError } from './durable-file.ts';
import { journalName } from './journal.ts';
import { recordName } from './object-files.ts';
import { objectKeys } from './object-keys.ts';
import { readText } from './read-text.ts';
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
  /** Whether all copies say the same root. */
  readonly hasCopy: boolean;
  /** What was wrong with it, a sentence each. */
  readonly told: readonly string[];
}

/** The layout this version writes. */
export const currentFormat = 5;

const headerName = 'nfio.json';
/** What nfio.json is made of again should it be lost: written once, for only the limit of serials changes, which the objects tell. */
const copyName = 'nfio.copy.json';
/** The file that is locked has a copy too, for who takes the other two for a pair: without the id of the mount its guests would not be found. */
export const lockName = 'lock';

/** A rebuilt header begins so far above every serial that is found: objects that were removed had some too. */
const serialMargin = 65_536;

/** Makes the header durable. @throws StateWriteError */
export function writeHeader(root: string, header: RootHeader): void {
  writeSealed(join(root, headerName), header);
}

/** Makes durable what a lost header is made of, twice. @throws StateWriteError */
export function writeHeaderCopy(root: string, header: RootHeader): void {
  writeSealed(join(root, copyName), header);
  writeSealed(join(root, lockName), header, overwriteFile);
}

/**
 * Reads the header of a root, or makes it again where it is lost, damaged or not to be read: of a copy, and of the serials of all objects.
 *
 * @throws as node:fs does, when neither the header nor a copy says which root this is and one of them could not be read: it may say so later.
 */
export function findHeader(root: string): FoundHeader {
  const found = readSealed(join(root, headerName));
  const copies = [copyName, lockName].map((name) => ({ path: join(root, name), found: readSealed(join(root, name)) }));
  const [header, copy] = [wholeOf(found), copies.map((each) => wholeOf(each.found)).find((each) => each !== undefined)];
  const { format: known, mountId: id } = header ?? copy ?? {};
  const hasCopy = copies
    .map((each) => wholeOf(each.found))
    .every((each) => each !== undefined && each.mountId === id && each.format === known);
  if (header !== undefined) {
    const told = copies.flatMap(({ path, found: each }) => (isBad(each) ? [`${path} was ${each.bad}. It is written again`] : []));
    return { header, hasCopy, told };
  }
  const all = [found, ...copies.map((each) => each.found)];
  if (copy === undefined) for (const each of all) if (isBad(each) && each.cause !== undefined) throw each.cause;
  const serial = highestSerial(root);
  if (serial === undefined && all.every((each) => each === undefined)) return { header: undefined, hasCopy: false, told: [] };
  const { format = currentFormat, mountId = newMountId() } = copy ?? {};
  const why = `${join(root, headerName)} was ${isBad(found) ? found.bad : 'lost'}, and is made again`;
  const lost = `${why}; its copies are too. Guests that ran are not found. See them: pgrep --list-full '^nfio-guest'. End one: kill -KILL PID`;
  return {
    header: { format, mountId, serialLimit: (serial ?? 0) + serialMargin },
    hasCopy,
    told: [copy === undefined ? lost : `${why} of its copy`],
  };
}

/** Eight characters of `[a-z0-9]`, at random. */
export function newMountId(): string {
  return Array.from(randomBytes(8), (byte) => (byte % 36).toString(36)).join('');
}

function writeSealed(path: string, header: RootHeader, write: typeof replaceFile = replaceFile): void {
  try {
    write(path, seal(`${JSON.stringify(header, undefined, 2)}\n`));
  } catch (error) {
    throw stateWriteError(path, error);
  }
}

/** A header that is there and says nothing: damaged, or not to be read. */
interface BadFile {
  /** What became of it, for people. */
  readonly bad: string;
  /** Why it cannot be read: it may be whole. */
  readonly cause?: unknown;
}

/** undefined: there is none. */
type FoundFile = RootHeader | BadFile | undefined;

function isBad(found: FoundFile): found is BadFile {
  return found !== undefined && 'bad' in found;
}

function wholeOf(found: FoundFile): RootHeader | undefined {
  return isBad(found) ? undefined : found;
}

/** Those of older versions have no checksum. */
function readSealed(path: string): FoundFile {
  let text: string | undefined;
  try {
    text = unlessAbsent(() => readText(path));
  } catch (cause) {
    return { bad: `not to be read (${(cause as Error).message})`, cause };
  }
  // A lock of an older version, or of a root that is being made, says nothing.
  if (text === undefined || (text === '' && path.endsWith(`/${lockName}`))) return undefined;
  try {
    const { format, mountId, serialLimit } = JSON.parse(unseal(text)) as Partial<RootHeader>;
    const isWhole = Number.isSafeInteger(format) && Number.isSafeInteger(serialLimit) && /^[a-z0-9]{8}$/.test(mountId ?? '');
    return isWhole ? ({ format, mountId, serialLimit } as RootHeader) : { bad: 'damaged' };
  } catch {
    return { bad: 'damaged' };
  }
}

/** Of all that have left a trace below a root; undefined: there is none. Records that are damaged count too. */
function highestSerial(root: string): number | undefined {
  const paths = [...objectKeys(root).map((key) => join(root, key, recordName)), join(root, journalName)];
  const texts = paths.map((path) => unlessAbsent(() => readText(path)) ?? '');
  const written = texts.flatMap((text) => Array.from(text.matchAll(/\\?"serial\\?":\s*(\d+)/g), ([, serial]) => Number(serial)));
  const guests = (unlessAbsent(() => readdirSync(join(root, 'guests'))) ?? []).map((name) => Number.parseInt(name, 36));
  const serials = [...written, ...guests].filter((serial) => Number.isSafeInteger(serial));
  return serials.reduce<number | undefined>((highest, serial) => Math.max(highest ?? 0, serial), undefined);
}
