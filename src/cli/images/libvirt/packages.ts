import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NfioError } from '../../../errors/index.ts';
import { runProgram } from '../../../network/index.ts';

/** Debian packages that the image is made of; what they need comes along. */
const packages = ['busybox-static', 'dash', 'nftables', 'iproute2', 'iputils-ping', 'qemu-guest-agent', 'linux-image-cloud-amd64'] as const;

/**
 * Downloads the packages with all they depend on, whatever this machine has installed, and unpacks them. Nothing is installed.
 *
 * @param work directory for downloads and for what is unpacked.
 * @returns the directory that holds the unpacked files.
 * @throws MissingToolError without apt-get, NotFoundError when a package cannot be had.
 */
export async function unpackPackages(work: string, signal: AbortSignal): Promise<string> {
  const [archives, root] = [join(work, 'archives'), join(work, 'root')];
  await mkdir(join(archives, 'partial'), { recursive: true });
  await mkdir(root, { recursive: true });
  const nothingInstalled = join(work, 'status');
  await writeFile(nothingInstalled, '');
  const options = [`Dir::State::status=${nothingInstalled}`, `Dir::Cache::archives=${archives}`, 'APT::Sandbox::User=root'];
  const argv = ['--no-install-recommends', '--download-only', '--yes', ...options.flatMap((option) => ['-o', option])];
  await run(['apt-get', '-qq', ...argv, 'install', ...packages], signal);
  const downloaded = (await readdir(archives)).filter((name) => name.endsWith('.deb'));
  for (const name of downloaded) await run(['dpkg-deb', '--extract', join(archives, name), root], signal);
  return root;
}

/** Runs a program to a good end. @throws NotFoundError with the last line it said. */
export async function run(argv: readonly [string, ...string[]], signal: AbortSignal): Promise<string> {
  const { exitCode, stdout, stderr } = await runProgram(argv, { signal });
  if (exitCode === 0) return stdout;
  const said = stderr.trim().split('\n').at(-1) || `exit status ${exitCode}`;
  throw new NfioError('NotFoundError', {
    errno: 'EIO',
    message: `${argv[0]}: ${said}${argv[0] === 'apt-get' ? '; does apt-get update help?' : ''}`,
  });
}
