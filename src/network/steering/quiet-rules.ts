import type { Part } from './watch-rules.ts';

/** The name of the nft chain that probes take in place of another one. */
export function quietName(name: string): string {
  return `quiet_${name}`;
}

/** What the same rules do with probes of nf.io's own: they go the same way, and no counter counts them. */
export function quiet(rules: readonly string[]): string[] {
  const silent = rules.map((rule) => rule.replaceAll(/counter name \S+ ?/g, '').replaceAll('goto into_', `goto ${quietName('into_')}`));
  return silent.map((rule) => rule.trim()).filter((rule) => rule !== '');
}

/** Those parts that are about a version of IP, or about both. */
export function partsOf(family: 4 | 6, parts: readonly Part[]): Part[] {
  return parts.filter((part) => typeof part === 'string' || part.family === family);
}
