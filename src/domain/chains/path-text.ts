const arrow = ' → ';

/** The way of packets for people: `lan → fw-a → ids-a → wan`. What is not known yet is a question mark. */
export function pathText(ends: { readonly ingress: string; readonly egress: string }, hops: readonly (readonly string[])[]): string {
  const steps = hops.map((instances) => (instances.length > 1 ? `{${instances.join(',')}}` : (instances[0] ?? '?')));
  return [ends.ingress || '?', ...steps, ends.egress || '?'].join(arrow);
}
