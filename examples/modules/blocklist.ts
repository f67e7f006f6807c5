import { isIPv4 } from 'node:net';
import { type ConfigCandidate, type ConfigLanguage, defineMiddlebox, NfioError, nftables } from 'nfio';

/** What people wrote into the file note, by instance. It lives as long as the mount. */
const notes = new Map<string, string>();

const rules = nftables();

/** The addresses in nf_conf, one a line. @throws NfioError naming the line. */
function addressesIn(text: string): string[] {
  const lines = text.split('\n').map((line) => line.replace(/#.*/, '').trim());
  const wrong = lines.findIndex((line) => line !== '' && !isIPv4(line));
  if (wrong >= 0)
    throw new NfioError('ConfigurationError', { message: `nf_conf line ${wrong + 1}: "${lines[wrong]}" is not an IPv4 address` });
  return [...new Set(lines.filter((line) => line !== ''))];
}

/** The rules that a list of addresses means. */
function asRules({ text, guestPath }: ConfigCandidate): ConfigCandidate {
  const addresses = addressesIn(text);
  const elements = addresses.length === 0 ? '' : `elements = { ${addresses.join(', ')} }`;
  const table = `table inet blocklist {
  set listed { type ipv4_addr; ${elements} }
  set added { type ipv4_addr; }
  chain forward {
    type filter hook forward priority filter; policy accept;
    ip saddr @listed drop
    ip saddr @added drop
  }
}`;
  return { text: table, guestPath };
}

/** A language of our own on top of one of nf.io's, which counts the drops. */
const language: ConfigLanguage = {
  name: 'blocklist',
  check: (candidate, guest) => rules.check(asRules(candidate), guest),
  apply: (candidate, guest) => rules.apply(asRules(candidate), guest),
  drops: (guest) => rules.drops(guest),
};

export default defineMiddlebox({
  summary: 'Drops what comes from the addresses in a list',
  configuration: { language, default: '# Addresses to block, one a line\n' },
  sysctl: { 'net.ipv4.ip_forward': '1' },
  run: { netns: { requires: [{ program: 'nft', package: 'nftables' }] } },
  files: [
    {
      path: 'block',
      mode: 0o200,
      async write(instance, text) {
        if (!isIPv4(text)) throw new NfioError('InvalidValueError', { message: `"${text}" is not an IPv4 address` });
        const argv = ['nft', 'add', 'element', 'inet', 'blocklist', 'added', '{', text, '}'];
        const { exitCode, stderr } = await instance.execute({ argv });
        if (exitCode !== 0) throw new NfioError('VNFCommandExecutionError', { message: `nft: ${stderr.split('\n')[0]}` });
      },
    },
    {
      path: 'stats/added',
      mode: 0o444,
      async read(instance) {
        const { stdout } = await instance.execute({ argv: ['nft', '-j', 'list', 'set', 'inet', 'blocklist', 'added'] });
        const { nftables: objects } = JSON.parse(stdout) as { nftables: { set?: { elem?: unknown[] } }[] };
        return `${objects.find(({ set }) => set !== undefined)?.set?.elem?.length ?? 0}\n`;
      },
    },
    { path: 'note', mode: 0o644 },
  ],
  actions: {
    forget: {
      summary: 'Unblocks every address that was written to block',
      async run(instance) {
        await instance.execute({ argv: ['nft', 'flush', 'set', 'inet', 'blocklist', 'added'] });
      },
    },
  },
  hooks: {
    mkdir(instance, caller) {
      notes.set(instance.name, `made by user ${caller.uid}\n`);
    },
    getattr(instance, path) {
      return path === 'note' ? { size: Buffer.byteLength(notes.get(instance.name) ?? '') } : undefined;
    },
    read(instance) {
      return notes.get(instance.name) ?? '';
    },
    write(instance, _path, data) {
      notes.set(instance.name, Buffer.from(data).toString());
    },
  },
});
