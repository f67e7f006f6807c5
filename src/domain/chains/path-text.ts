const arrow = ' → ';

/** A hop, for people. */
export interface ShownHop {
  /** Names of its instances. */
  readonly instances: readonly string[];
  /** It only gets copies: packets do not pass it. */
  readonly mirror: boolean;
}

/** The way of packets for people: `lan → fw-a → ids-a → wan`, and `lan → fw-a (copies to ids-a) → wan`. What is not known yet is a question mark. */
export function pathText(ends: { readonly ingress: string; readonly egress: string }, hops: readonly ShownHop[]): string {
  const steps = [ends.ingress || '?'];
  for (const { instances, mirror } of hops) {
    const shown = instances.length > 1 ? `{${instances.join(',')}}` : (instances[0] ?? '?');
    if (mirror) steps.push(`${steps.pop()} (copies to ${shown})`);
    else steps.push(shown);
  }
  return [...steps, ends.egress || '?'].join(arrow);
}
