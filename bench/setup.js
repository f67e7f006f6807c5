#!/usr/bin/env node
// Installs what the benchmarks compare nf.io with, from Debian: node bench/setup.js [--yes]. Asks first, unless --yes or CI is set.
// fuse-native is not among it: the benchmark itself fetches it from the npm registry, into a temporary directory.
import { spawnSync } from 'node:child_process';
import { installSystemPackages } from '../scripts/system-packages.js';

const packages = [
  { package: 'gcc', purpose: 'compiles the client and the peer in C' },
  { package: 'libc6-dev', purpose: 'its headers' },
  { package: 'pkg-config', purpose: 'finds libfuse 3' },
  { package: 'libfuse3-dev', purpose: 'the peer in C' },
  { package: 'python3-fusepy', purpose: 'the peer in Python, which the original prototype used' },
  { package: 'mininet', purpose: 'the peer of a hundred hosts' },
  { package: 'iperf3', purpose: 'transfers through service chains' },
  { package: 'bridge-utils', purpose: 'the bridge of Mininet' },
];

function isInstalled(name) {
  const answer = spawnSync('dpkg-query', ['--show', '--showformat=${db:Status-Status}', name], { encoding: 'utf8' });
  return answer.stdout === 'installed';
}

const missing = packages.filter((entry) => !isInstalled(entry.package));
const assumeYes = Boolean(process.env.CI) || process.argv.includes('--yes');
try {
  await installSystemPackages(missing, { assumeYes });
  console.log(missing.length === 0 ? 'All peers are installed.' : 'The peers are installed.');
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
