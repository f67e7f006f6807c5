import type { Benchmark } from '../benchmark.ts';
import { chains } from './chains.ts';
import { controlFile } from './control-file.ts';
import { counter } from './counter.ts';
import { docker } from './docker.ts';
import { fuseLibrary } from './fuse-library.ts';
import { hosts } from './hosts.ts';
import { libvirt } from './libvirt.ts';
import { lookup } from './lookup.ts';
import { readers } from './readers.ts';
import { takeover } from './takeover.ts';
import { userFiles } from './user-files.ts';

/** All benchmarks, in the order they run. */
export const benchmarks: readonly Benchmark[] = [
  fuseLibrary,
  controlFile,
  counter,
  hosts,
  docker,
  libvirt,
  lookup,
  userFiles,
  chains,
  takeover,
  readers,
];
