// `npm run storm -- --minutes N [--kills N] [--seed S]`: clients of all kinds on a mount whose server is killed again and again.
import { parseArgs } from 'node:util';
import { kinds } from './kinds/index.ts';
import { runStorm } from './storm.ts';

const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '1' }, kills: { type: 'string' }, seed: { type: 'string' }, only: { type: 'string' } },
});
const names = values.only?.split(',');
const faults = await runStorm({
  kinds: kinds.filter(({ name }) => names === undefined || names.includes(name)),
  minutes: Number(values.minutes),
  kills: Number(values.kills ?? Number.POSITIVE_INFINITY),
  seed: Number(values.seed ?? Date.now() % 1_000_000),
  tell: (line) => console.log(line),
});
for (const fault of faults) console.log(`✖ ${fault}`);
console.log(faults.length === 0 ? '✔ nothing was lost' : `✖ ${faults.length} faults`);
process.exit(faults.length === 0 ? 0 : 1);
