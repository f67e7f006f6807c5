import type { ConfigLanguage, GuestAccess } from '../../../domain/middlebox.ts';
import { NfioError } from '../../../errors/index.ts';
import { type CountedRuleset, countDrops, dropCounter } from './count-drops.ts';
import { RulesetNormaliser } from './normalise.ts';
import { inventoryScript, removalOf } from './removal.ts';

/** A table of nf.io's own that says that the guest's rules were loaded by it. The first transaction must be the one that makes it. */
const marker = 'inet nfio_rules';

/** Length of rules that nft reads in no time. */
const shortText = 64 * 1024;

/**
 * nftables rules (nft(8)). What a guest gets are the user's own rules, rewritten to count every packet they drop or reject, in one
 * transaction. Counters stay over a reload, so that the number of drops never goes backwards and loses none.
 */
export function nftables(): ConfigLanguage & Required<Pick<ConfigLanguage, 'drops'>> {
  const normaliser = new RulesetNormaliser();
  return {
    name: 'nftables',
    async check({ text }, guest) {
      await normaliser.normalise(text, guest?.ports, guest?.signal);
    },
    async apply({ text }, guest) {
      const counted = countDrops(await normaliser.normalise(text, guest.ports, guest.signal));
      // In a fresh guest the marker is not there, and one process is enough. For many rules a second attempt would cost more than it saves.
      const fresh =
        counted.text.length <= shortText && (await nft(guest, ['-f', '-'], `create table ${marker}\n${counted.text}`)).exitCode === 0;
      if (!fresh) await reload(counted, guest);
    },
    drops: (guest) => countedDrops(guest),
  };
}

/** Takes away what was loaded before, all but the counters, and loads the new rules: one transaction. */
async function reload(counted: CountedRuleset, guest: GuestAccess): Promise<void> {
  const inventory = await guest.executeInNetwork({ argv: ['sh', '-c', inventoryScript] });
  if (inventory.exitCode !== 0 || inventory.stdout.includes('failed\n')) {
    throw failed('the rules that are loaded cannot be listed', inventory.stderr);
  }
  const result = await nft(guest, ['-f', '-'], `add table ${marker}\n${removalOf(inventory.stdout)}${counted.text}`);
  if (result.exitCode !== 0) throw failed('the kernel refused the rules in the guest', result.stderr);
}

async function countedDrops(guest: GuestAccess): Promise<number> {
  const listing = await nft(guest, ['-j', 'list', 'counters'], '');
  if (listing.exitCode !== 0) throw failed('the counters cannot be listed', listing.stderr);
  const { nftables: objects } = JSON.parse(listing.stdout) as { readonly nftables: readonly { readonly counter?: CounterObject }[] };
  return objects.reduce((sum, { counter }) => (counter?.name === dropCounter ? sum + counter.packets : sum), 0);
}

interface CounterObject {
  readonly name: string;
  readonly packets: number;
}

function nft(guest: GuestAccess, args: readonly string[], stdin: string): ReturnType<GuestAccess['executeInNetwork']> {
  return guest.executeInNetwork({ argv: ['nft', ...args], stdin });
}

function failed(what: string, stderr: string): NfioError {
  const said = (stderr.split('\n')[0] ?? '').replace(/^\/dev\/stdin:[\d:-]+ (Error: )?/, '');
  return new NfioError('ConfigurationError', { message: `nf_conf: ${what}: ${said}` });
}
