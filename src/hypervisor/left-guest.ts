/** The sentence about a guest that runs and has no record which could be read. */
export function leftGuest(what: string, type = '', name = ''): string {
  const record = type === '' ? 'its .record.json' : `nf-types/${type}/${name}/.record.json`;
  return `${what} has no record in this root that can be read: it is left as it is. Fix: unmount, restore ${record} from a backup, mount again`;
}
