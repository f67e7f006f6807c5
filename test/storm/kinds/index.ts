import type { Kind } from '../kind.ts';
import { appends } from './appends.ts';
import { chains } from './chains.ts';
import { commands } from './commands.ts';
import { editors } from './editors.ts';
import { files } from './files.ts';
import { listings } from './listings.ts';
import { lives } from './lives.ts';
import { objects } from './objects.ts';
import { polls } from './polls.ts';
import { refusals } from './refusals.ts';
import { saves } from './saves.ts';
import { settings } from './settings.ts';
import { tree } from './tree.ts';
import { unlinked } from './unlinked.ts';
import { values } from './values.ts';

/** All who work in a storm at once. */
export const kinds: readonly Kind[] = [
  settings,
  values,
  appends,
  saves,
  editors,
  refusals,
  files,
  tree,
  objects,
  lives,
  chains,
  commands,
  polls,
  listings,
  unlinked,
];
