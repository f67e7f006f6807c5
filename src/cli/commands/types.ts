import { resolve } from 'node:path';
import { defineCommand } from '../command.ts';
import { columns } from '../terminal.ts';

/** `nfio types`. */
export const typesCommand = defineCommand({
  name: 'types',
  summary: 'List the middlebox types there are',
  operands: [],
  options: {
    modules: { type: 'string', value: 'DIR', aliases: ['middlebox_module_root'], summary: 'Directory of your own middlebox modules' },
    json: { type: 'boolean', summary: 'Print JSON' },
  },
  description: `Lists the built-in middlebox types and those of a module directory, and says what is wrong with a module that
cannot be loaded. The exit status is then 1.`,
  examples: [
    { command: 'nfio types', does: 'What is built in' },
    { command: 'nfio types --modules ./modules', does: 'And your own, checked' },
  ],
  async run({ values, terminal }) {
    const { ModuleLoader } = await import('../../middleboxes/loader.ts');
    const userRoot = values.modules === undefined ? undefined : resolve(values.modules);
    const warn = (message: string): void => terminal.err(`nfio: ${message}\n`);
    const logger = { debug: () => {}, info: () => {}, warn, error: warn };
    const types = await new ModuleLoader({ userRoot, logger }).list();
    const rows = types.map((entry) => [
      entry.type,
      entry.origin,
      entry.error === undefined ? entry.summary : `cannot be loaded: ${entry.error}`,
    ]);
    terminal.out(values.json ? `${JSON.stringify(types, undefined, 2)}\n` : columns([['TYPE', 'ORIGIN', 'SUMMARY'], ...rows]));
    return types.every((entry) => entry.error === undefined) ? 0 : 1;
  },
});
