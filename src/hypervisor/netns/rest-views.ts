import { mkdirSync } from 'node:fs';
import { isAlive, signalProcess, waitUntilGone } from '../../network/index.ts';
import type { Guest } from './guest.ts';
import { leastPrivateFiles } from './guest-setup.ts';
import { launchView } from './launch.ts';
import type { Launcher } from './launcher.ts';
import type { MachineLayer } from './machine-layer.ts';
import { restWorkDirectory } from './mount-table.ts';

/** How long a root is shown before it has to be asked for again, milliseconds. */
const leaseMs = 60_000;

/** So many are shown at once; the one that was opened first is closed when there would be more. */
const mostViews = 32;

/** How long ending one may take, milliseconds. */
const endTimeoutMs = 5000;

/** What views are made with. */
export interface RestViewParts {
  readonly mountId: string;
  readonly launcher: Launcher;
  readonly privateDirectory: string;
  readonly layer: MachineLayer;
}

/**
 * The roots of guests that do not run, for who looks into rfs/. Each is mounted in a mount namespace of its own, by a process that ends with nf.io. One is closed before its guest
 * starts, and before the guest is destroyed; who had a file of it open keeps that.
 */
export class RestViews {
  readonly #parts: RestViewParts;
  readonly #shown = new Map<Guest, NodeJS.Timeout>();

  constructor(parts: RestViewParts) {
    this.#parts = parts;
  }

  /** Shows the root of a guest that does not run. Idempotent. @throws VNFStartError naming the step that failed. */
  async open(guest: Guest, signal: AbortSignal): Promise<void> {
    if (guest.viewProcess !== undefined && isAlive(guest.viewProcess)) return;
    if (guest.viewProcess !== undefined) await this.close(guest);
    guest.view ??= this.#show(guest, signal).catch((error: unknown) => {
      guest.view = undefined;
      throw error;
    });
    await guest.view;
  }

  async #show(guest: Guest, signal: AbortSignal): Promise<NonNullable<Guest['viewProcess']>> {
    const { ref } = guest;
    mkdirSync(`${ref.guestDir}/${restWorkDirectory}`, { recursive: true, mode: 0o700 });
    const { layer, ...parts } = this.#parts;
    const options = { ...parts, machineLayer: await layer.path(), signal };
    guest.viewProcess = await launchView(ref, guest.record.files ?? leastPrivateFiles(ref), options);
    this.#shown.set(guest, setTimeout(() => void this.close(guest).catch(() => undefined), leaseMs).unref());
    const [oldest] = this.#shown.keys();
    if (oldest !== undefined && this.#shown.size > mostViews) void this.close(oldest).catch(() => undefined);
    return guest.viewProcess;
  }

  /** Shows it no more. */
  async close(guest: Guest): Promise<void> {
    const process = await guest.view?.catch(() => undefined);
    guest.view = undefined;
    guest.viewProcess = undefined;
    clearTimeout(this.#shown.get(guest));
    this.#shown.delete(guest);
    if (process === undefined) return;
    signalProcess(process, 'SIGKILL');
    await waitUntilGone(process, endTimeoutMs);
  }
}
