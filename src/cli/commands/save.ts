import { randomBytes } from 'node:crypto';
import { chown, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { configurationName } from '../../domain/configuration-names.ts';
import { errnoName, errnoOf, isAbsence, isThere, NfioError } from '../../errors/index.ts';
import { defineCommand } from '../command.ts';

/** `nfio save`. */
export const saveCommand = defineCommand({
  name: 'save',
  summary: 'Save the configuration of a VNF, and say why it is refused',
  operands: ['VNF', 'FILE'],
  completes: 'files',
  options: {},
  description: `Puts FILE (-: standard input) in the place of config/nf_conf of a VNF, as one step. On a running VNF it is checked and
applied first: when it is refused the reason is printed with its line, the status is 1, and neither what runs nor nf_conf changes.
A VNF that does not run checks it when it starts. VNF is the path of its directory.`,
  examples: [
    { command: 'nfio save /nfio/nf-types/firewall/fw-a rules.nft', does: 'Apply a rule set, or hear why not' },
    { command: 'sed s/23/22/ rules.nft | nfio save /nfio/nf-types/firewall/fw-a -', does: 'The same from a pipe' },
  ],
  async run({ operands: [vnf = '', file = ''], terminal }) {
    // Service chains have a status too, and nothing to save.
    await stat(join(vnf, 'config')).catch((cause: unknown) => {
      throw noVnf(vnf, cause);
    });
    const status = await readFile(join(vnf, 'status'), 'utf8').catch((cause: unknown) => {
      throw noVnf(vnf, cause);
    });
    const text =
      file === '-'
        ? await buffer(process.stdin)
        : await readFile(file).catch((cause: unknown) => {
            throw notReadable(file, cause);
          });
    await save(vnf, text);
    terminal.out(`saved${await whatOfIt(vnf, status.trim())}\n`);
    return 0;
  },
});

/** What the configuration does now: types without one keep a file of this name as any other. */
async function whatOfIt(vnf: string, status: string): Promise<string> {
  if (status !== 'running') return `; the VNF is ${status}, and checks it when it starts`;
  return isThere(join(vnf, 'config', '.applied', configurationName))
    ? ', and in force'
    : ' as a file: VNFs of this type have no configuration that is applied';
}

/** Writes beside the configuration and renames: the file system judges the rename. */
async function save(vnf: string, text: Uint8Array): Promise<void> {
  const target = join(vnf, 'config', configurationName);
  const temporary = join(vnf, 'config', `.nf_conf.${randomBytes(6).toString('hex')}`);
  const before = await stat(target).catch((cause: unknown) => {
    if (isAbsence(cause)) return undefined;
    throw cause;
  });
  try {
    await using made = await open(temporary, 'wx', before === undefined ? 0o644 : before.mode & 0o7777);
    await made.writeFile(text);
    await made.sync();
    if (before !== undefined && process.getuid?.() === 0) await chown(temporary, before.uid, before.gid);
    await rename(temporary, target);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw await refusal(vnf, cause);
  }
}

/** Why it was not saved: the sentence of the VNF's `error` where the text was refused. */
async function refusal(vnf: string, cause: unknown): Promise<NfioError> {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  const said = errno === 'EINVAL' ? (await readFile(join(vnf, 'error'), 'utf8')).trim() : '';
  return new NfioError('ConfigurationError', { errno, message: said === '' ? `${vnf}: ${(cause as Error).message}` : said, cause });
}

function noVnf(path: string, cause: unknown): NfioError {
  const message = `${path} is no VNF (${errnoName(errnoOf(cause)) ?? 'EIO'}). Give the path of its directory, such as /nfio/nf-types/firewall/fw-a`;
  return new NfioError('VNFNotFoundError', { message, cause });
}

function notReadable(path: string, cause: unknown): NfioError {
  const errno = errnoName(errnoOf(cause)) ?? 'EIO';
  const why = errno === 'ENOENT' ? 'there is no such file' : errno === 'EISDIR' ? 'it is a directory' : `it cannot be read (${errno})`;
  return new NfioError('ConfigurationError', {
    errno,
    message: `${path} was not saved: ${why}. Give a file, or - for standard input`,
    cause,
  });
}
