import { pathToFileURL } from 'node:url';
import { NfioError } from '../../errors/index.ts';
import { firstLine } from '../first-line.ts';
import { resolveNfio } from './resolve-nfio.ts';

/** What a file that does not compile, or imports what is not there, fails with. */
const malformedCodes: ReadonlySet<unknown> = new Set([
  'ERR_INVALID_TYPESCRIPT_SYNTAX',
  'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX',
  'ERR_MODULE_NOT_FOUND',
  'ERR_PACKAGE_PATH_NOT_EXPORTED',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_UNSUPPORTED_DIR_IMPORT',
  'MODULE_NOT_FOUND',
]);

/**
 * Imports a module's file, and returns its default export.
 *
 * @throws MalformedModuleError when it does not compile or lacks a default export, BrokenModuleError when it throws.
 */
export async function importModule(path: string): Promise<unknown> {
  resolveNfio();
  let namespace: { readonly default?: unknown };
  try {
    namespace = await import(pathToFileURL(path).href);
  } catch (cause) {
    throw importError(path, cause);
  }
  if (namespace.default === undefined) {
    const message = `${path} has no default export: write "export default defineMiddlebox({ … })"`;
    throw new NfioError('MalformedModuleError', { message });
  }
  return namespace.default;
}

function importError(path: string, cause: unknown): NfioError {
  const said = firstLine(cause);
  if (malformedCodes.has((cause as { code?: unknown } | null)?.code) || isCompileError(path, cause)) {
    const line = lineOf(path, cause);
    return new NfioError('MalformedModuleError', { message: `${path}${line} cannot be loaded: ${said}`, cause });
  }
  return new NfioError('BrokenModuleError', { message: `${path} failed while it was loaded: ${said}`, cause });
}

/** A SyntaxError of the file itself, not one that its code threw (JSON.parse): then the file would be among the callers. */
function isCompileError(path: string, cause: unknown): boolean {
  if (!(cause instanceof SyntaxError)) return false;
  return !(cause.stack ?? '').split('\n').some((line) => /^\s+at /.test(line) && line.includes(pathToFileURL(path).href));
}

/** ` line 3`, from the place that Node.js puts on top of a SyntaxError's stack. */
function lineOf(path: string, cause: unknown): string {
  const first = (cause instanceof Error ? (cause.stack ?? '') : '').split('\n')[0] ?? '';
  const line = /:(\d+)$/.exec(first)?.[1];
  return line !== undefined && first.includes(path) ? ` line ${line}` : '';
}
