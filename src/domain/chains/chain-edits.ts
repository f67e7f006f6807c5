import type { ChainRecord, HopRecord, LinkRecord } from '../records.ts';
import { nextLink, startLink } from './chain-path.ts';

/** A directory of links: a service chain's own, or that of one of its hops. */
export type LinkDirectory = { readonly hop: number | undefined };

/** The links of a directory. */
export function linksIn(chain: ChainRecord, { hop }: LinkDirectory): readonly LinkRecord[] {
  return hop === undefined ? chain.links : (chain.hops.find(({ serial }) => serial === hop)?.links ?? []);
}

/** The service chain with other links in a directory. */
export function withLinks(chain: ChainRecord, { hop }: LinkDirectory, links: readonly LinkRecord[]): ChainRecord {
  if (hop === undefined) return { ...chain, links };
  return { ...chain, hops: chain.hops.map((each) => (each.serial === hop ? { ...each, links } : each)) };
}

/** With one link more, in the place of one of the same name. */
export function withLink(chain: ChainRecord, directory: LinkDirectory, link: LinkRecord): ChainRecord {
  const others = linksIn(chain, directory).filter(({ name, serial }) => name !== link.name && serial !== link.serial);
  return withLinks(chain, directory, [...others, link]);
}

/** Without the link of a name. */
export function withoutLink(chain: ChainRecord, directory: LinkDirectory, name: string): ChainRecord {
  return withLinks(
    chain,
    directory,
    linksIn(chain, directory).filter((link) => link.name !== name),
  );
}

/** With a hop more, or another one in the place of one with its serial. */
export function withHop(chain: ChainRecord, hop: HopRecord): ChainRecord {
  const known = chain.hops.some(({ serial }) => serial === hop.serial);
  return { ...chain, hops: known ? chain.hops.map((each) => (each.serial === hop.serial ? hop : each)) : [...chain.hops, hop] };
}

/** Without a hop. */
export function withoutHop(chain: ChainRecord, serial: number): ChainRecord {
  return { ...chain, hops: chain.hops.filter((hop) => hop.serial !== serial) };
}

/**
 * Without a hop, and with the hops around it joined: each link that led to it leads to what its own `next` led to, or is gone where it had none.
 *
 * @param next text of its `next`, undefined when it had none.
 * @param leadsTo whether a link in a directory leads to the hop.
 */
export function withHopCutOut(
  chain: ChainRecord,
  hop: HopRecord,
  how: { readonly next: string | undefined; readonly leadsTo: (link: LinkRecord, directory: LinkDirectory) => boolean },
): ChainRecord {
  const joined = (links: readonly LinkRecord[], directory: LinkDirectory): LinkRecord[] =>
    links.flatMap((link) => {
      if ((link.name !== startLink && link.name !== nextLink) || !how.leadsTo(link, directory)) return [link];
      if (how.next === undefined) return [];
      // What is beside the hops is one directory nearer to start.
      return [{ ...link, target: directory.hop === undefined ? how.next.replace(/^\.\.\//, '') : how.next }];
    });
  const rest = withoutHop(chain, hop.serial);
  return {
    ...rest,
    links: joined(rest.links, { hop: undefined }),
    hops: rest.hops.map((each) => ({ ...each, links: joined(each.links, { hop: each.serial }) })),
  };
}
