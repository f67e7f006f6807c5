// Measures nf.io against its peers: node bench/main.ts [NAME…] [--runs N] [--json]. See docs/benchmarks.md.
import { parseArgs } from 'node:util';
import type { Benchmark, Row } from './benchmark.ts';
import { benchmarks } from './cases/index.ts';
import { describeMachine, renderTable } from './report.ts';
import { Workshop } from './workshop.ts';

const defaultRuns = 30;
const usage = `Usage: npm run bench -- [NAME…] [--runs N] [--json]

Measures nf.io against its peers, in alternating runs, and prints the ratios. Needs root. Without a NAME, all of:
${benchmarks.map(({ name, summary }) => `  ${name.padEnd(14)}${summary}`).join('\n')}

  --runs N   runs of each measurement (default ${defaultRuns}; hosts takes a sixth of it)
  --json     the samples' medians, least and greatest as JSON, times in seconds
  --help     this text

The peers are installed by bench/setup.js; a peer that is not there is skipped and said so.
Exit status: 0 measured (targets may be missed), 1 a benchmark failed, 2 wrong use.`;

interface Options {
  readonly selected: readonly Benchmark[];
  readonly runs: number;
  readonly json: boolean;
}

class UsageError extends Error {
  readonly code = 'ERR_PARSE_ARGS_BENCH';
}

function parse(argv: readonly string[]): Options | undefined {
  const options = { runs: { type: 'string' }, json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;
  const { values, positionals } = parseArgs({ args: [...argv], options, allowPositionals: true });
  if (values.help === true) return undefined;
  const runs = Number(values.runs ?? defaultRuns);
  if (!Number.isInteger(runs) || runs < 1 || runs > 1000) throw new UsageError('--runs takes a whole number from 1 to 1000.');
  const unknown = positionals.find((name) => !benchmarks.some((benchmark) => benchmark.name === name));
  if (unknown !== undefined) throw new UsageError(`There is no benchmark ${unknown}.`);
  const selected = benchmarks.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  return { selected, runs, json: values.json ?? false };
}

/** Runs one benchmark in a workshop of its own; a failure is reported, and the others still run. */
async function runOne(benchmark: Benchmark, runs: number, signal: AbortSignal): Promise<readonly Row[] | undefined> {
  console.error(`${benchmark.name}: ${benchmark.summary} …`);
  try {
    await using workshop = new Workshop(signal);
    return await benchmark.run(workshop, runs);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    console.error(signal.aborted ? `${benchmark.name} interrupted` : `${benchmark.name} failed: ${why}`);
    return undefined;
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parse(argv);
  if (options === undefined) {
    console.log(usage);
    return 0;
  }
  if (process.getuid?.() !== 0) throw new UsageError('The benchmarks mount file systems and make namespaces, which needs root. Use sudo.');
  const abort = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => abort.abort());
  const rows: Row[] = [];
  let failed = false;
  for (const benchmark of options.selected) {
    if (abort.signal.aborted) break;
    const measured = await runOne(benchmark, options.runs, abort.signal);
    if (measured === undefined) failed = true;
    else rows.push(...measured);
  }
  if (options.json) console.log(JSON.stringify({ machine: describeMachine(), runs: options.runs, rows }, null, 2));
  else if (rows.length > 0) console.log(`\n${renderTable(rows)}\n\n${describeMachine()}; ${options.runs} runs.`);
  return failed || abort.signal.aborted ? 1 : 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  const { code, message } = error as { code?: unknown; message?: unknown };
  // Ours and those of node:util.
  if (!String(code).startsWith('ERR_PARSE_ARGS')) throw error;
  console.error(`${message}\n\n${usage}`);
  process.exitCode = 2;
}
