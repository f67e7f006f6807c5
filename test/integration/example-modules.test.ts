import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import type { HookInstance, Middlebox } from '../../src/domain/middlebox.ts';
import { ModuleLoader } from '../../src/middleboxes/loader.ts';
import { joinGuests, NamespaceGuest, whyNoNamespaces } from '../support/network-guest.ts';

const root = join(import.meta.dirname, '..', '..');
const nothing = (): void => undefined;
const loader = new ModuleLoader({
  userRoot: join(root, 'examples', 'modules'),
  logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
});
const guestPath = '/etc/nfio/nf_conf';

function instanceIn(guest: NamespaceGuest): HookInstance {
  return { type: 'blocklist', name: 'b-1', value: () => '', execute: (command) => guest.execute(command) };
}

function fileOf({ files = [] }: Middlebox, path: string): NonNullable<Middlebox['files']>[number] {
  const file = files.find((each) => each.path === path);
  assert.ok(file);
  return file;
}

describe('examples/modules/blocklist.ts', () => {
  it('is what docs/modules.md shows', () => {
    const shown = readFileSync(join(root, 'docs', 'modules.md'), 'utf8');
    assert.ok(shown.includes(`\`\`\`ts\n${readFileSync(join(root, 'examples', 'modules', 'blocklist.ts'), 'utf8')}\`\`\`\n`));
  });

  it('has the four hooks', async () => {
    const { hooks } = await loader.load('blocklist');
    const execute = async (): Promise<never> => assert.fail('no hook runs anything');
    const instance: HookInstance = { type: 'blocklist', name: 'b-2', value: () => '', execute };
    assert.ok(hooks?.mkdir && hooks.getattr && hooks.read && hooks.write);
    await hooks.mkdir(instance, { uid: 1000, gid: 1000, pid: 1 });
    assert.equal(await hooks.read(instance, 'note'), 'made by user 1000\n');
    await hooks.write(instance, 'note', Buffer.from('for the lab\n'));
    assert.equal(await hooks.read(instance, 'note'), 'for the lab\n');
    assert.deepEqual(await hooks.getattr(instance, 'note'), { size: 12 });
    assert.equal(await hooks.getattr(instance, 'block'), undefined);
  });

  it('blocks and counts', { skip: whyNoNamespaces() ?? false, timeout: 30_000 }, async () => {
    using guest = new NamespaceGuest(['lan', 'wan']);
    using client = new NamespaceGuest(['eth0']);
    using server = new NamespaceGuest(['eth0']);
    joinGuests([
      { guest, port: 'lan', addresses: ['10.1.0.1/24'] },
      { guest: client, port: 'eth0', addresses: ['10.1.0.2/24'] },
    ]);
    joinGuests([
      { guest, port: 'wan', addresses: ['10.2.0.1/24'] },
      { guest: server, port: 'eth0', addresses: ['10.2.0.2/24'] },
    ]);
    client.sync(['ip', 'route', 'add', 'default', 'via', '10.1.0.1']);
    server.sync(['ip', 'route', 'add', 'default', 'via', '10.2.0.1']);
    const ping = async (): Promise<number> =>
      (await client.execute({ argv: ['ping', '-q', '-c2', '-i0.01', '-W0.3', '10.2.0.2'] })).exitCode;

    const module = await loader.load('blocklist');
    const { configuration, sysctl, actions } = module;
    assert.ok(configuration !== undefined);
    for (const [name, value] of Object.entries(sysctl ?? {})) guest.sync(['sysctl', '-qw', `${name}=${value}`]);
    const { language } = configuration;
    await assert.rejects(language.check({ text: '# none\n10.1.0.300\n', guestPath }, guest), {
      message: 'nf_conf line 2: "10.1.0.300" is not an IPv4 address',
    });

    await language.apply({ text: configuration.default, guestPath }, guest);
    assert.equal(await ping(), 0);
    await fileOf(module, 'block').write?.(instanceIn(guest), '10.1.0.2');
    assert.equal(await fileOf(module, 'stats/added').read?.(instanceIn(guest)), '1\n');
    assert.equal(await ping(), 1);
    await actions?.['forget']?.run(instanceIn(guest));
    assert.equal(await ping(), 0);
    await language.apply({ text: '10.1.0.2\n', guestPath }, guest);
    assert.equal(await ping(), 1);
    assert.equal(await language.drops?.(guest), 4);
  });
});
