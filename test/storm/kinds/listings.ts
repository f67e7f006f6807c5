import type { Kind } from '../kind.ts';

/** find, ls and grep -r over all there is, beside those who change it: what nobody changes is listed, whole and once. */
export const listings: Kind = {
  name: 'listings',
  setUp: 'mkdir -p nf-types/host/listings; cd nf-types/host/listings/config; touch file-{001..300}; echo needle > file-150',
  program: {
    language: 'bash',
    text: `
cd nf-types/host/listings
count() { text=$(ls config | grep -c '^file-'); }
search() { text=$(grep -rl needle config machine ports stats); }
walk() { text=$(find . -path ./rfs -prune -o -name 'file-*' -print | sort -u | wc -l); }
peers() { text=$(ls -d ../../host/listings ../../host/settings ../../../networks/values | wc -l); }
while more; do
  attempt count && expect 'ls config' "$text" 300
  attempt search && expect 'grep -r' "$text" config/file-150
  attempt walk && expect find "$text" 300
  attempt peers && expect 'ls -d' "$text" 3
  say ok
done`,
  },
  async check() {
    return [];
  },
};
