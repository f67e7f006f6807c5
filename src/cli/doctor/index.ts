import { basicProbes, latencyProbe } from './basics.ts';
import { cgroupProbe } from './cgroups.ts';
import { engineProbes } from './engines.ts';
import { kernelProbes } from './kernel.ts';
import type { Finding, Probe, ProbeContext } from './probe.ts';

export type { Finding } from './probe.ts';

/** A probe with what it found. */
export interface Diagnosis extends Finding {
  readonly name: string;
  readonly needed: boolean;
}

const probes: readonly Probe[] = [...basicProbes, ...kernelProbes, cgroupProbe, latencyProbe, ...engineProbes];

/** Examines the machine, one probe after the other, and yields each as it is known. */
export async function* diagnose(context: ProbeContext): AsyncGenerator<Diagnosis> {
  for (const probe of probes) yield { name: probe.name, needed: probe.needed, ...(await probe.run(context)) };
}
