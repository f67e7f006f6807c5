import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { MountedServer, run } from './processes.ts';
import { Unavailable } from './unavailable.ts';
import { onOneCpu, type Workshop } from './workshop.ts';

/** Other ways to write a FUSE file system, each serving one file, /control, from one CPU and one thread, with nothing cached. */
export const peers: Readonly<Record<PeerName, (workshop: Workshop) => Promise<MountedServer>>> = {
  'C libfuse3': startLibfuse3,
  fusepy: startFusepy,
  'fuse-native': startFuseNative,
};

export type PeerName = 'C libfuse3' | 'fusepy' | 'fuse-native';

/** Debian's Python, which python3-fusepy is installed for, whatever else is first on PATH. */
export const systemPython = '/usr/bin/python3';
const fuseNativeVersion = '2.2.6';
const source = (name: string): string => join(import.meta.dirname, 'peers', name);

async function startLibfuse3(workshop: Workshop): Promise<MountedServer> {
  const program = await workshop.compile('peers/hello.c', ['fuse3']);
  const mountpoint = workshop.makeDirectory('libfuse3');
  return start(workshop, [program, '-s', '-f', '-o', 'default_permissions,allow_other', mountpoint], mountpoint);
}

async function startFusepy(workshop: Workshop): Promise<MountedServer> {
  try {
    await run([systemPython, '-c', 'import fusepy']);
  } catch (error) {
    throw new Unavailable('python3-fusepy is not installed: run bench/setup.js.', { cause: error });
  }
  const mountpoint = workshop.makeDirectory('fusepy');
  return start(workshop, [systemPython, source('hello_fusepy.py'), mountpoint], mountpoint);
}

async function startFuseNative(workshop: Workshop): Promise<MountedServer> {
  const directory = workshop.makeDirectory('fuse-native-package');
  try {
    await run(['npm', 'install', '--no-save', '--ignore-scripts', '--prefix', directory, `fuse-native@${fuseNativeVersion}`]);
  } catch (error) {
    const reason = `fuse-native@${fuseNativeVersion} could not be fetched from the npm registry; npm view fuse-native says why.`;
    throw new Unavailable(reason, { cause: error });
  }
  const module = join(directory, 'node_modules', 'fuse-native');
  if (!existsSync(join(module, 'prebuilds', `linux-${process.arch}`))) {
    throw new Unavailable(`fuse-native has no prebuilt binary for ${process.arch}.`);
  }
  const mountpoint = workshop.makeDirectory('fuse-native');
  return start(workshop, [process.execPath, source('hello-fuse-native.cjs'), module, mountpoint], mountpoint);
}

/** A peer that is installed and does not run here is as good as absent, and its row says so. */
async function start(workshop: Workshop, argv: readonly string[], mountpoint: string): Promise<MountedServer> {
  try {
    return workshop.use(await MountedServer.start(onOneCpu(argv), mountpoint));
  } catch (cause) {
    if (workshop.signal.aborted) throw cause;
    throw new Unavailable(`It does not run here. ${(cause as Error).message.replace(/\s+/g, ' ')}`, { cause });
  }
}
