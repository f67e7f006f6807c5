/** A classifier, checked by nft. */
export interface ChainMatch {
  /** As the user wrote it; empty: all traffic. */
  readonly text: string;
  /** In nft's own words: for packets from the ingress, and for those that come back. */
  readonly forward: string;
  readonly backward: string;
  /** For those that come back to another address and port than they left from, which a hop translated; absent: the same as `backward`. */
  readonly translated?: string;
  /** What it compares, to find out whether two classifiers can match one packet. */
  readonly conditions: readonly MatchCondition[];
}

/** One thing that a classifier asks of a packet; all have to hold. */
export interface MatchCondition {
  /** `tcp dport`, `ip saddr`, `l4proto`. */
  readonly field: string;
  /** Values that satisfy it, as inclusive ranges; undefined: not known. */
  readonly ranges: readonly (readonly [number, number])[] | undefined;
}
