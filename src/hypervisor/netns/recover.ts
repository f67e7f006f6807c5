import type { GuestRef } from '../../domain/ports/hypervisor.ts';
import type { Logger } from '../../domain/ports/logger.ts';
import { type Fabric, signalProcess, waitUntilGone } from '../../network/index.ts';
import { leftGuest } from '../left-guest.ts';
import type { Cgroups } from './cgroups.ts';
import { Guest } from './guest.ts';
import { readExitCode, readTraces } from './guest-files.ts';
import type { GuestRecords } from './guest-records.ts';
import { findAllInits, type LabelledProcess } from './labels.ts';
import { letGo } from './launch.ts';

/** Where guests of a mount leave traces. */
export interface World {
  readonly mountId: string;
  readonly records: GuestRecords;
  readonly cgroups: Cgroups;
  readonly fabric: Fabric;
  readonly logger: Logger;
  /** Whether a guest that is none of those that are asked for is known to be wanted no more. */
  readonly mayEnd: (id: string) => boolean;
}

/** Finds the guests of a mount again, and removes those that nobody knows any more. */
export async function recoverGuests(refs: readonly GuestRef[], world: World, signal: AbortSignal): Promise<Guest[]> {
  const inits = findAllInits(world.mountId);
  for (const view of inits.view) await endView(view);
  const found = new Map(inits.guest.map((process) => [process.id, process]));
  const guests: Guest[] = [];
  for (const ref of refs) {
    signal.throwIfAborted();
    const guest = await recoverOne(ref, found.get(ref.id), world);
    if (guest !== undefined) guests.push(guest);
    found.delete(ref.id);
  }
  const left = [...found.values()].filter(({ id }) => !world.mayEnd(id));
  for (const orphan of found.values()) if (world.mayEnd(orphan.id)) await removeOrphan(orphan, world);
  for (const { pid, type, name } of left) world.logger.warn(leftGuest(`guest ${type}/${name} (pid ${pid})`, type, name));
  const living = new Set([...guests.filter(({ process }) => process !== undefined).map(({ ref }) => ref.id), ...left.map(({ id }) => id)]);
  for (const id of world.cgroups.list().filter((id) => !living.has(id))) await world.cgroups.remove(id);
  return guests;
}

async function recoverOne(ref: GuestRef, process: LabelledProcess | undefined, world: World): Promise<Guest | undefined> {
  if (process === undefined) return await recoverAtRest(ref, world);
  const record = world.records.get(ref.id);
  const guest = new Guest(ref, world.records);
  if (record?.process?.pid !== process.pid && world.records.isWhole) {
    await end(process, world); // its start was cut short
    return guest;
  }
  guest.process = { pid: process.pid, startTime: process.startTime };
  if (record?.process?.pid !== process.pid) adopt(guest, world);
  guest.paused = world.cgroups.isFrozen(ref.id);
  letGo(guest.process); // where nf.io ended between its last two steps
  return guest;
}

/** One that does not run. What cannot be looked at, a bad disk say, costs what is known of this one: all others, which may run, are found nevertheless. */
async function recoverAtRest(ref: GuestRef, { records, fabric, logger }: World): Promise<Guest | undefined> {
  const guest = new Guest(ref, records);
  try {
    const traces = readTraces(ref.guestDir);
    if (traces === 'none') return undefined;
    if (traces === 'made') return guest;
    guest.ended(readExitCode(ref.guestDir));
  } catch (error) {
    logger.error(whyNotLookedAt(ref, error));
    return undefined;
  }
  await fabric.removePorts(guest.record.ports.map(({ id }) => id));
  return guest;
}

function whyNotLookedAt({ type, name, guestDir }: GuestRef, error: unknown): string {
  const why = (error as Error).message;
  return `nf-types/${type}/${name} does not run, and what it left cannot be looked at: ${why}. Mend that: ls -la ${guestDir}. Then unmount, and mount again`;
}

/** A guest that runs, and whose record is lost: what is not known of it is so until its next start. */
function adopt({ ref, record, process }: Guest, { records, logger }: World): void {
  records.adopt(ref.id, { ...record, process });
  const path = `nf-types/${ref.type}/${ref.name}`;
  logger.warn(
    `${path} runs on, and what is known of its ports was lost with its line in ${records.path}. Run: echo restart > ${path}/action`,
  );
}

async function removeOrphan(orphan: LabelledProcess, world: World): Promise<void> {
  world.logger.warn(`guest ${orphan.type}/${orphan.name} (pid ${orphan.pid}) is in no record of this root: it is stopped`);
  await end(orphan, world);
}

/** It ends with the process that started it; what may be left is one that was just being started. */
async function endView(view: LabelledProcess): Promise<void> {
  signalProcess(view, 'SIGKILL');
  await waitUntilGone(view, 5000);
}

async function end(orphan: LabelledProcess, { cgroups }: World): Promise<void> {
  if (cgroups.isFrozen(orphan.id)) await cgroups.freeze(orphan.id, false);
  signalProcess(orphan, 'SIGKILL');
  await waitUntilGone(orphan, 5000);
}
