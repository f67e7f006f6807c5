/** Counters of one guest or segment as numbers, by the names of the files in stats/. */
export type Counters = Readonly<Record<string, number>>;
