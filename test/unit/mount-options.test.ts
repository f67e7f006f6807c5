import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { mountCommand } from '../../src/cli/commands/mount.ts';
import { commandHelp } from '../../src/cli/help.ts';
import { main } from '../../src/cli/main.ts';
import { mountOptions, parseMountOptions, wordsToMountAgain } from '../../src/daemon/mount-options.ts';
import { quoteWord } from '../../src/domain/shell-words.ts';
import { HypervisorFactory, makeGuestSpec, Nfio, NfioError, type NfioOptions, VnfsOperations } from '../../src/index.ts';

/** The sentence that a call is refused with, as an InvalidValueError. */
function refusal(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof NfioError && error.code === 'InvalidValueError', String(error));
    return error.message;
  }
  return 'no error';
}

const parse = (given: object): string => refusal(() => parseMountOptions({ mountpoint: '/nfio', ...given }));

describe('the options of a mount', () => {
  test('what is not given has a default; paths become absolute', () => {
    assert.deepEqual(parseMountOptions({ mountpoint: '/nfio', root: undefined }), {
      mountpoint: '/nfio',
      root: '/var/lib/nfio',
      hypervisor: 'netns',
      modules: undefined,
      dockerSocket: '/var/run/docker.sock',
      insecureEngines: false,
      libvirtUri: 'qemu:///system',
      foreground: false,
      logLevel: 'info',
      attrTimeoutMs: 1000,
      resend: true,
    });
    assert.equal(parseMountOptions({ mountpoint: 'mnt' }).mountpoint, `${process.cwd()}/mnt`);
    assert.equal(parseMountOptions({ mountpoint: '/nfio', dockerSocket: 'unix:///run/d.sock' }).dockerSocket, '/run/d.sock');
  });

  test('what was parsed is parsed to the same', () => {
    const options = parseMountOptions({ mountpoint: '/nfio', dockerSocket: '/d', libvirtUri: 'test:///default', insecureEngines: true });
    assert.deepEqual(parseMountOptions(JSON.parse(JSON.stringify(options))), options);
  });

  test('a command that mounts again has what is needed to reach the VNFs, and no defaults', () => {
    assert.deepEqual(wordsToMountAgain(parseMountOptions({ mountpoint: '/nfio', logLevel: 'debug' })), []);
    const options = { mountpoint: '/nfio', hypervisor: 'docker', modules: '/m', dockerSocket: '/d', insecureEngines: true } as const;
    const words = ['--hypervisor', 'docker', '--modules', '/m', '--docker-socket', '/d', '--insecure-engines'];
    assert.deepEqual(wordsToMountAgain(parseMountOptions(options)), words);
    const uri = 'qemu+unix:///system?socket=/run/l';
    assert.deepEqual(wordsToMountAgain(parseMountOptions({ mountpoint: '/nfio', libvirtUri: uri })), ['--libvirt-uri', uri]);
    assert.deepEqual(['/a/b', uri, "it's"].map(quoteWord), ['/a/b', `'${uri}'`, `'it'\\''s'`]);
  });

  test('a value that cannot be is refused with a sentence that names the option', () => {
    assert.equal(parse({ hypervisor: 'xen' }), 'hypervisor is one of netns, docker, libvirt, not "xen".');
    assert.equal(parse({ hypervisor: 'dokcer' }), 'hypervisor is one of netns, docker, libvirt, not "dokcer". Did you mean docker?');
    assert.match(parse({ hypervisor: 7 }), /^hypervisor is one of .*, not 7\.$/);
    assert.match(parse({ hypervisor: 'constructor' }), /^hypervisor is one of/);
    assert.equal(parse({ root: '' }), 'root is a path, not "".');
    assert.equal(parse({ mountpoint: null }), 'mountpoint is a path, not null.');
    assert.equal(parse({ insecureEngines: 'yes' }), 'insecureEngines is true or false, not "yes".');
    assert.match(parse({ attrTimeoutMs: -1 }), /^attrTimeoutMs is a whole number of milliseconds, not -1\.$/);
    assert.match(
      parse({ libvirtUri: 'somewhere' }),
      /^libvirtUri is the URI of a libvirt daemon, such as qemu:\/\/\/system, not "somewhere"/,
    );
    assert.match(parse({ libvirtUri: 'qemu+smoke://h/system' }), /^libvirtUri is the URI/);
    assert.match(parse({ dockerSocket: 'tcp://h:2375' }), /^dockerSocket is the path of a Unix socket/);
    assert.equal(parse({ dockerSockt: '/d' }), 'dockerSockt is not an option of a mount. Did you mean dockerSocket?');
    assert.match(
      refusal(() => parseMountOptions({} as never)),
      /^mountpoint is missing\. Give an empty directory/,
    );
  });
});

describe('the same options in a program', () => {
  const make = (options?: unknown): string => refusal(() => new Nfio(options as NfioOptions));

  test("the original prototype's words are taken", () => {
    assert.equal(new Nfio({ mountpoint: '/nfio', hypervisor: 'Docker' }).hypervisor, 'docker');
    assert.equal(new Nfio({ mountpoint: '/nfio', hypervisor: 'Libvirt' }).hypervisor, 'libvirt');
  });

  test('all are kept, as the daemon gets them', () => {
    const nfio = new Nfio({ mountpoint: '/nfio', moduleRoot: 'modules' });
    assert.deepEqual([nfio.root, nfio.moduleRoot], ['/var/lib/nfio', `${process.cwd()}/modules`]);
  });

  test('what makes no sense is an NfioError with a sentence', () => {
    for (const options of [undefined, null, '/nfio']) assert.match(make(options), /^The options of a mount are an object/);
    assert.match(make({}), /^mountpoint is missing/);
    assert.match(make({ mountpoint: '/nfio', moduleRoot: 7 }), /^moduleRoot is a path, not 7\.$/);
    assert.match(make({ mountpoint: '/nfio', modulRoot: '/m' }), /^modulRoot is not an option of a mount\. Did you mean moduleRoot\?$/);
    assert.match(
      refusal(() => new VnfsOperations(undefined as never)),
      /^The mountpoint is missing/,
    );
    assert.match(
      refusal(() => makeGuestSpec(undefined as never)),
      /^The options of a guest are an object/,
    );
    assert.match(
      refusal(() => makeGuestSpec({ id: 'guest1', name: 'g', guestDir: '/g' } as never)),
      /^configDir is missing/,
    );
    const factory = (options: object): string => refusal(() => new HypervisorFactory('netns', options));
    assert.match(factory({ mountID: 'lab00001' }), /^mountID is not an option of a hypervisor\. Did you mean mountId\?$/);
    assert.match(factory({ libvirtUri: 'x' }), /^libvirtUri is the URI/);
  });
});

describe('the same options on the command line', () => {
  const nfio = async (...argv: readonly string[]): Promise<string> => {
    const written: string[] = [];
    const status = await main(['mount', ...argv], { out: () => undefined, err: (text) => written.push(text), interactive: false });
    assert.equal(status, 2);
    return written.join('');
  };

  test('every option is a flag with help', () => {
    const help = commandHelp(mountCommand, false);
    for (const { flag } of Object.values(mountOptions)) assert.match(help, new RegExp(`^ {2}--${flag}\\b`, 'm'));
  });

  test('a value that cannot be is a mistake of the command line that names the flag', async () => {
    assert.match(
      await nfio('--attr-timeout', 'soon', '/nfio'),
      /^nfio: --attr-timeout is a whole number of milliseconds, not "soon"\.\nSee: nfio help mount\n$/,
    );
    assert.match(await nfio('--libvirt-uri', 'x', '/nfio'), /^nfio: --libvirt-uri is the URI of a libvirt daemon/);
    assert.match(await nfio('--docker-socket', 'tcp://h:1', '/nfio'), /^nfio: --docker-socket is the path of a Unix socket/);
  });
});
