import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** The image that tests run when any will do. */
export const testImage = 'nfio-test:latest';

/** An image with one program, and no shell. */
export const shellLessImage = 'nfio-test-shell-less:latest';

/** Programs of this machine that tests want in a guest. */
const programs = (
  'dash bash cat chmod cp date dd echo env false grep head hostname id ip ls ln mkdir mkfifo mknod mv nft nsenter ping printf ps readlink rm ' +
  'sed seq sh sleep sort stat tail tc test timeout touch tr true wc iperf3 busybox'
).split(' ');

/** Puts both images into an engine. */
export async function loadTestImages(socketPath: string): Promise<void> {
  await load(socketPath, testImage, { programs, command: ['sleep', 'infinity'] });
  await load(socketPath, shellLessImage, { programs: ['sleep'], command: ['sleep', 'infinity'] });
}

/** Makes an image of programs of this machine, with the libraries they need: no registry, no base image, half a second. */
async function load(
  socketPath: string,
  name: string,
  image: { readonly programs: readonly string[]; readonly command: readonly string[] },
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'nfio-image-'));
  try {
    for (const path of ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/lib64', 'etc', 'proc', 'sys', 'dev', 'tmp', 'var/log', 'run', 'root'])
      mkdirSync(join(directory, path), { recursive: true });
    for (const link of ['bin', 'sbin', 'lib', 'lib64']) symlinkSync(`usr/${link}`, join(directory, link));
    writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n');
    for (const program of image.programs) addProgram(directory, program);
    await importTree(socketPath, name, directory, image.command);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function addProgram(directory: string, program: string): void {
  const path = ['/usr/bin', '/usr/sbin', '/bin', '/sbin'].map((place) => join(place, program)).find((place) => existsSync(place));
  if (path === undefined) throw new Error(`${program} is not installed: see scripts/system-packages.json`);
  const place = join(directory, 'usr/bin', program);
  copyFileSync(realpathSync(path), place);
  const libraries = ldd(path).matchAll(/(\/\S+) \(0x/g);
  for (const [, library = ''] of libraries) {
    const copy = join(directory, library.replace(/^\/(usr\/)?/, 'usr/'));
    mkdirSync(dirname(copy), { recursive: true });
    if (!existsSync(copy)) copyFileSync(realpathSync(library), copy);
  }
}

function ldd(path: string): string {
  try {
    return execFileSync('ldd', [path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  } catch {
    return ''; // statically linked
  }
}

function importTree(socketPath: string, name: string, directory: string, command: readonly string[]): Promise<void> {
  const [repo = '', tag = ''] = name.split(':');
  const query = new URLSearchParams({ fromSrc: '-', repo, tag, changes: `CMD ${JSON.stringify(command)}` });
  const tar = spawn('tar', ['-C', directory, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    const outgoing = request({ socketPath, method: 'POST', path: `/images/create?${query}` }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      answer.on('end', () => (answer.statusCode === 200 && !text.includes('"error"') ? resolve() : reject(new Error(text))));
    });
    outgoing.on('error', reject);
    tar.stdout.pipe(outgoing);
  });
}
