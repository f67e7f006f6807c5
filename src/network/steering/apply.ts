import type { NftChain, NftProgram } from './program.ts';
import { steeringTable } from './program.ts';

/** What turns one program into another, as one transaction of nft: packets see all of it or none. Empty when there is nothing to do. */
export function transition(before: NftProgram | undefined, after: NftProgram): string {
  const lines: string[] = [];
  const old: ReadonlyMap<string, NftChain> = before?.chains ?? new Map<string, NftChain>();
  const changed = [...after.chains].filter(([name, chain]) => !isSame(old.get(name), chain));
  const removed = [...old.keys()].filter((name) => !after.chains.has(name));
  const counters = [...after.counters].filter((name) => !before?.counters.has(name));
  const unused = [...(before?.counters ?? [])].filter((name) => !after.counters.has(name));
  if (changed.length + removed.length + counters.length + unused.length === 0) return '';
  lines.push(`add table ${steeringTable}`);
  lines.push(...counters.map((name) => `add counter ${steeringTable} ${name}`));
  for (const [name, chain] of changed) lines.push(declaration(name, chain));
  for (const [name] of changed) lines.push(`flush chain ${steeringTable} ${name}`);
  // One at an interface that is gone may have gone with it: it is made again, so that it can be removed.
  for (const name of removed) lines.push(`add chain ${steeringTable} ${name}`, `flush chain ${steeringTable} ${name}`);
  for (const [name, chain] of changed) lines.push(...chain.rules.map((rule) => `add rule ${steeringTable} ${name} ${rule}`));
  lines.push(...removed.map((name) => `delete chain ${steeringTable} ${name}`));
  lines.push(...unused.map((name) => `delete counter ${steeringTable} ${name}`));
  return `${lines.join('\n')}\n`;
}

function declaration(name: string, { device, policy }: NftChain): string {
  if (device === undefined) return `add chain ${steeringTable} ${name}`;
  const hook = `{ type filter hook ingress device "${device}" priority 0; policy ${policy}; }`;
  return `add chain ${steeringTable} ${name} ${hook}`;
}

function isSame(one: NftChain | undefined, other: NftChain): boolean {
  if (one === undefined || one === other) return one === other;
  return one.device === other.device && one.policy === other.policy && one.rules.join('\n') === other.rules.join('\n');
}
