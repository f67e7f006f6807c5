import type { TestMount } from '../support/mount.ts';

/** The port that the rules of a firewall's guest drop now, as the kernel says. */
export async function droppedPort(mount: TestMount, firewall: string): Promise<string> {
  const rules = await mount.run(`nsenter --net --target "$(cat nf-types/firewall/${firewall}/machine/vm.id)" nft list ruleset`);
  return /dport (\d+) .*drop/.exec(rules)?.[1] ?? rules;
}

/** A running firewall. */
export function firewallThatRuns(name: string): string {
  return `mkdir -p nf-types/firewall/${name}; echo activate > nf-types/firewall/${name}/action`;
}

/** Rules that drop a TCP port, in a shell variable's place. */
export const rulesFor = (port: string): string =>
  `table inet filter { chain forward { type filter hook forward priority filter; tcp dport ${port} drop; }; }`;
