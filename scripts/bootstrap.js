// Makes a checkout ready and then runs a script in it: `node scripts/bootstrap.js [--no-system] SCRIPT [ARGUMENT…]`.
//
// Plain JavaScript, because it runs before anything is installed and on whatever Node the machine has (16 or newer).
// The script itself runs on the Node that npm ci brings. Before the system is changed it asks, unless --yes or CI is set.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { dependenciesAreCurrent } from './dependencies.js';
import { installSystemPackages, missingPackages } from './system-packages.js';

const root = join(import.meta.url.slice('file://'.length), '..', '..');
const node = join(root, 'node_modules', '.bin', 'node');

/** Separates what is meant for this script from what the script behind it gets. */
function parse(argv) {
  const assumeYes = Boolean(process.env.CI) || process.env.npm_config_yes === 'true' || argv.includes('--yes');
  const rest = argv.filter((argument) => argument !== '--yes');
  const system = rest[0] !== '--no-system';
  const [script, ...args] = system ? rest : rest.slice(1);
  return { assumeYes, system, script, args };
}

function installDependencies() {
  if (dependenciesAreCurrent(root)) return;
  console.log('Installing the development dependencies: npm ci');
  execFileSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], { cwd: root, stdio: 'inherit' });
}

/** Runs the script with this terminal, passes signals on and ends as it ends. */
function run(script, args) {
  const path = [join(root, 'node_modules', '.bin'), process.env.PATH].join(':');
  const child = spawn(node, [join(root, script), ...args], { stdio: 'inherit', env: { ...process.env, PATH: path } });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal]));
}

async function main() {
  const { assumeYes, system, script, args } = parse(process.argv.slice(2));
  if (script === undefined || !existsSync(join(root, script))) {
    console.error(`There is no script ${script ?? ''} here. Usage: node scripts/bootstrap.js [--no-system] SCRIPT [ARGUMENT…]`);
    process.exit(2);
  }
  installDependencies();
  if (system) await installSystemPackages(missingPackages(), { assumeYes });
  run(script, args);
}

main().catch((error) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
