import type { Command } from '../command.ts';
import { completionCommand } from './completion.ts';
import { demoCommand } from './demo.ts';
import { doctorCommand } from './doctor.ts';
import { imagesCommand } from './images.ts';
import { mountCommand } from './mount.ts';
import { saveCommand } from './save.ts';
import { statusCommand } from './status.ts';
import { typesCommand } from './types.ts';
import { umountCommand } from './umount.ts';

/** Every command of nfio, in the order help lists them. */
export const commands: readonly Command[] = [
  mountCommand,
  umountCommand,
  saveCommand,
  statusCommand,
  typesCommand,
  imagesCommand,
  doctorCommand,
  demoCommand,
  completionCommand({ commands: () => commands }),
];
