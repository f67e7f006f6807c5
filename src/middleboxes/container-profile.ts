import type { RunProfile } from '../domain/middlebox.ts';
import { idleCommand } from './main-process.ts';

/** The image of a built-in type, which `nfio images build TYPE` makes from images/TYPE. */
export function imageOf(type: string): string {
  return `nfio/${type}:latest`;
}

/** How a built-in type runs as a container. Without a command of its own there is a main process that only waits. */
export function containerProfile(type: string, command: readonly string[] = idleCommand): RunProfile {
  return { image: imageOf(type), command };
}
