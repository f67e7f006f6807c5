import { basicProbes, latencyProbe } from './basics.ts';
import { cgroupProbe } from './cgroups.ts';
import { engineProbes } from './engines.ts';
import { kernelProbes } from './kernel.ts';
import { type Finding, notTried, type Probe, type ProbeContext } from './probe.ts';

export type { Finding } from './probe.ts';

/** A probe with what it found. */
export interface Diagnosis extends Finding {
  readonly name: string;
  readonly needed: boolean;
}

const probes: readonly Probe[] = [...basicProbes, ...kernelProbes, cgroupProbe, latencyProbe, ...engineProbes];

/** Examines the machine, one probe after the other, and yields each as it is known. */
export async function* diagnose(context: ProbeContext): AsyncGenerator<Diagnosis> {
  const isRoot = process.geteuid?.() === 0;
  for (const { name, needed, needsRoot, run } of probes) {
    yield { name, needed, ...(needsRoot === true && !isRoot ? notTried() : await run(context)) };
  }
}
