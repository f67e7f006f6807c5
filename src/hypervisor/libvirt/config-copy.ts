import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { mapBounded } from '../../domain/bounded.ts';
import { isAbsence, NfioError } from '../../errors/index.ts';
import { runProgram } from '../../network/index.ts';
import type { RunInGuest } from './guest-setup.ts';

/** Most that is copied. Bytes, as tar counts. */
const maxBytes = 16 * 1024 * 1024;

/** Puts what comes in beside what is there, and then in its place. */
const unpackScript = `
rm -rf /etc/nfio.new && mkdir -p /etc/nfio /etc/nfio.new && tar -xf - -C /etc/nfio.new &&
rm -rf /etc/nfio && mv /etc/nfio.new /etc/nfio`;

/**
 * The copy of a VNF's config directory that its guest has at /etc/nfio: a virtual machine shares no files with the machine it runs on. It
 * is made again when something in the directory has changed.
 */
export class ConfigCopy {
  #copied: string | undefined;

  /** Forgets what the guest has: it was started anew. */
  forget(): void {
    this.#copied = undefined;
  }

  /** Brings the guest's copy up to date. @throws ConfigurationError (EFBIG) when config/ has more than 16 MiB. */
  async update(directory: string, run: RunInGuest, signal: AbortSignal): Promise<void> {
    const version = (await signature(directory)).join('\n');
    if (version === this.#copied) return;
    const { exitCode, stderr } = await run({ argv: ['sh', '-c', unpackScript], stdin: await archive(directory, signal) });
    if (exitCode !== 0)
      throw new NfioError('ConfigurationError', { errno: 'EIO', message: `config/ could not be copied to the guest: ${stderr.trim()}` });
    this.#copied = version;
  }
}

/** Changes whenever anything below the directory does. */
async function signature(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true }).catch((error: unknown) => {
    if (isAbsence(error)) return [];
    throw error;
  });
  return await mapBounded(entries.sort(), async (name) => {
    const found = await lstat(join(directory, name), { bigint: true }).catch(absentIsUndefined);
    return `${name} ${found?.ino} ${found?.mode} ${found?.size} ${found?.mtimeNs} ${found?.ctimeNs}`;
  });
}

/** The directory as a tar archive. Links in it are kept, never followed. */
async function archive(directory: string, signal: AbortSignal): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  const tooLarge = new AbortController();
  const onOutput = (chunk: Uint8Array, stream: 'stdout' | 'stderr'): void => {
    if (stream === 'stderr') return;
    bytes += chunk.length;
    if (bytes > maxBytes) tooLarge.abort();
    else chunks.push(chunk);
  };
  try {
    await runProgram(['tar', '-cf', '-', '-C', directory, '.'], { signal: AbortSignal.any([signal, tooLarge.signal]), onOutput });
  } catch (error) {
    if (!tooLarge.signal.aborted) throw error;
    throw new NfioError('ConfigurationError', {
      errno: 'EFBIG',
      message: 'config/ has more than 16 MiB: a virtual machine gets no more of it',
    });
  }
  return Buffer.concat(chunks);
}

function absentIsUndefined(error: unknown): undefined {
  if (!isAbsence(error)) throw error;
}
