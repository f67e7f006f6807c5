import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';

const policyFile = '/usr/sbin/policy-rc.d';
/** Debian starts these when it installs them; nf.io runs them in its guests only. */
const services = {
  'nginx-light': ['nginx'],
  unbound: ['unbound'],
  haproxy: ['haproxy'],
  squid: ['squid'],
  ulogd2: ['ulogd2'],
  'libvirt-daemon-system': [
    'libvirtd',
    'libvirtd.socket',
    'libvirtd-ro.socket',
    'libvirtd-admin.socket',
    'libvirt-guests',
    'virtlogd.socket',
    'virtlockd.socket',
  ],
  'docker.io': ['docker.service', 'docker.socket', 'containerd'],
  'openssh-server': ['ssh'],
  iperf3: ['iperf3'],
  'docker-registry': ['docker-registry'],
};

/** Directories that programs are looked for in: root's, too, which may not be on a user's PATH. */
const directories = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/bin', '/bin'];

/** The entries of system-packages.json whose program is not on this machine. */
export function missingPackages() {
  const list = JSON.parse(readFileSync(new URL('system-packages.json', import.meta.url), 'utf8'));
  return list.filter(({ program }) => !isInstalled(program));
}

function isInstalled(program) {
  return directories.some((directory) => existsSync(`${directory}/${program}`));
}

/** Installs them with apt-get, after asking. Throws an error with a remedy when it may not or cannot. */
export async function installSystemPackages(missing, { assumeYes }) {
  if (missing.length === 0) return;
  const names = [...new Set(missing.map((entry) => entry.package))];
  console.log('These Debian packages are needed and not installed:');
  for (const entry of missing) console.log(`  ${entry.package.padEnd(14)} ${entry.purpose}`);
  const command = `apt-get install ${names.join(' ')}`;
  if (!isInstalled('apt-get')) {
    throw new Error(
      `This machine has no apt-get. Install ${missing.map((entry) => entry.program).join(', ')} by its own means and run this again.`,
    );
  }
  if (process.getuid() !== 0) throw new Error(`Installing them needs root. Run this first: sudo ${command}`);
  if (!assumeYes && !(await confirmed(`Install them now with ${command}?`))) {
    throw new Error(`Nothing was installed. Run ${command} yourself, or repeat this with: -- --yes`);
  }
  install(names);
}

async function confirmed(question) {
  if (!process.stdin.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}

/** While apt-get runs, a policy-rc.d forbids the start of services; those that are new are disabled afterwards. */
function install(names) {
  const ownPolicy = !existsSync(policyFile);
  const options = { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } };
  if (ownPolicy) writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    console.log('apt-get update');
    execFileSync('apt-get', ['-qq', 'update'], options);
    console.log(`apt-get install ${names.join(' ')}`);
    execFileSync('apt-get', ['-qq', 'install', '--yes', '--no-install-recommends', ...names], options);
  } finally {
    if (ownPolicy) rmSync(policyFile, { force: true });
  }
  const started = names.flatMap((name) => services[name] ?? []);
  if (started.length > 0 && isInstalled('systemctl')) {
    execFileSync('systemctl', ['disable', '--quiet', ...started], { stdio: ['ignore', 'ignore', 'inherit'] });
  }
  for (const service of started) console.log(`The ${service} service was neither started nor enabled; nf.io starts what it needs itself.`);
}
