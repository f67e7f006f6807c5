import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import type { ConfigLanguage, GuestAccess, HookInstance } from '../../src/domain/middlebox.ts';
import { NfioError } from '../../src/errors/index.ts';
import { ModuleLoader } from '../../src/middleboxes/loader.ts';

const userRoot = mkdtempSync(join(tmpdir(), 'nfio-modules-'));
after(() => rmSync(userRoot, { recursive: true, force: true }));

const log: string[] = [];
const note = (message: string): void => void log.push(message);
const logger = { debug: note, info: note, warn: note, error: note };
const loader = new ModuleLoader({ userRoot, logger });

const instance: HookInstance = {
  type: 'x',
  name: 'x-1',
  value: (path) => `value of ${path}`,
  execute: async () => ({ exitCode: 0, stdout: '', stderr: '' }),
};

let written = 0;

/** Writes a module, and returns its path. Each write has a time of its own, as files that people save have. */
function put(name: string, text: string): string {
  const path = join(userRoot, name);
  writeFileSync(path, text);
  written += 1;
  utimesSync(path, 1_700_000_000 + written, 1_700_000_000 + written);
  return path;
}

beforeEach(() => {
  log.length = 0;
});

describe('ModuleLoader finds', () => {
  it('every built-in module', async () => {
    const types = await new ModuleLoader({ userRoot: undefined, logger }).list();
    assert.deepEqual(
      types.map(({ type, origin, error }) => [type, origin, error]),
      ['dns', 'firewall', 'host', 'ids', 'loadbalancer', 'nat', 'nginx', 'proxy', 'router', 'shaper'].map((type) => [
        type,
        'built-in',
        undefined,
      ]),
    );
    assert.ok(types.every(({ summary }) => summary.length > 10 && summary.length < 100));
  });

  it('no module where there is none: ENOSYS', async () => {
    await assert.rejects(loader.load('fierwall'), {
      code: 'UnknownTypeError',
      errnoName: 'ENOSYS',
      message: `there is no built-in module "fierwall" (did you mean "firewall"?), nor is there ${userRoot}/fierwall.ts. See those there are: nfio types`,
    });
    await assert.rejects(loader.load('constructor'), { code: 'UnknownTypeError' });
    await assert.rejects(loader.load('../../etc/passwd'), { code: 'UnknownTypeError' });
  });

  for (const ending of ['ts', 'mjs', 'js']) {
    it(`a file that ends in .${ending}`, async () => {
      put(`own-${ending}.${ending}`, `export default { summary: 'one of .${ending}' };`);
      assert.equal((await loader.load(`own-${ending}`)).summary, `one of .${ending}`);
    });
  }

  it('a CommonJS file, and its next version', async () => {
    put('common.js', `module.exports = { summary: 'first' };`);
    assert.equal((await loader.load('common')).summary, 'first');
    put('common.js', `module.exports = { summary: 'second' };`);
    assert.equal((await loader.load('common')).summary, 'second');
  });

  it('the next version of a file, without a restart', async () => {
    const text = (word: string): string =>
      `export default { summary: '${word}', files: [{ path: 'a', mode: 0o444, read: () => '${word}' }] };`;
    put('changing.ts', text('first'));
    const first = await loader.load('changing');
    assert.equal(await loader.load('changing'), first, 'unchanged: the same');
    put('changing.ts', text('later'));
    assert.equal((await loader.load('changing')).summary, 'later');
    assert.equal(await first.files?.[0]?.read?.(instance), 'later', 'who holds the first can call it');
  });

  it('a user file rather than the built-in module, and says so', async () => {
    const path = put('shaper.ts', `export default { summary: 'my own' };`);
    assert.equal((await loader.load('shaper')).summary, 'my own');
    assert.deepEqual(log, [`module shaper: ${path} is used instead of the built-in module`]);
    rmSync(path);
    assert.notEqual((await loader.load('shaper')).summary, 'my own');
  });

  it('nfio itself, from a module far from any node_modules', async () => {
    put(
      'typed.ts',
      `import { defineMiddlebox, NfioError } from 'nfio';
       import { FuseSession } from 'nfio/fuse';
       const read = (): string => { throw new NfioError('BusyError', { message: typeof FuseSession }); };
       export default defineMiddlebox({ summary: 'typed', files: [{ path: 'x', mode: 0o444, read }] });`,
    );
    const { files } = await loader.load('typed');
    const busy = await Promise.resolve(files?.[0]?.read?.(instance)).catch((error: unknown) => error);
    assert.ok(busy instanceof NfioError, 'its errors are ours');
    assert.deepEqual([busy.code, busy.message], ['BusyError', 'function']);
  });
});

describe('ModuleLoader refuses', () => {
  const malformed: Readonly<Record<string, readonly [text: string, message: string | RegExp]>> = {
    'text that is no program': ['export default {', /malformed\.ts( line \d+)? cannot be loaded: /],
    'an unknown package': [`import 'no-such-package'; export default { summary: 'x' };`, /cannot be loaded: Cannot find package/],
    'a name that nfio does not export': [
      `import { nothing } from 'nfio'; export default { summary: 'x' };`,
      /line 1 cannot be loaded: .*nothing/,
    ],
    'no default export': ['export const summary = 1;', 'has no default export: write "export default defineMiddlebox({ … })"'],
    'another default export': ['export default 7;', ': the default export must be an object, not a number'],
    'no summary': ['export default {};', ': summary is missing'],
    'a summary of two lines': [`export default { summary: 'a\\nb' };`, ': summary must be one line of text'],
    'an unknown field': [
      `export default { summary: 'x', file: [] };`,
      /: file is not known \(did you mean "files"\?\); known here: summary, /,
    ],
    'an unknown field within': [
      `export default { summary: 'x', run: { netns: { comand: [] } } };`,
      /: run\.netns\.comand is not known \(did you mean "command"/,
    ],
    'an unknown hypervisor': [
      `export default { summary: 'x', run: { xen: {} } };`,
      /: run\.xen is not known; known here: netns, docker, libvirt/,
    ],
    'a command that is text': [
      `export default { summary: 'x', run: { netns: { command: 'sh' } } };`,
      ': run.netns.command must be an array, not a string',
    ],
    'an empty command': [`export default { summary: 'x', run: { netns: { command: [] } } };`, ': run.netns.command names no program'],
    'a setting of the whole machine': [
      `export default { summary: 'x', sysctl: { 'kernel.panic': '1' } };`,
      /: sysctl\.kernel\.panic is not a setting below net\./,
    ],
    'an answer that is neither yes nor no': [
      `export default { summary: 'x', intercepts: 'yes' };`,
      ': intercepts must be true or false, not a string',
    ],
    'a language without apply': [
      `export default { summary: 'x', configuration: { default: '', language: { name: 'l', check() {} } } };`,
      ': configuration.language.apply is missing',
    ],
    'a path that leads out': [
      `export default { summary: 'x', files: [{ path: '../x', mode: 0o444, read() {} }] };`,
      /: files\[0\]\.path "\.\.\/x" is not a path/,
    ],
    'a path that is taken': [
      `export default { summary: 'x', files: [{ path: 'status', mode: 0o444, read() {} }] };`,
      ': files[0].path status is a file every VNF has',
    ],
    'a mode of execution': [
      `export default { summary: 'x', files: [{ path: 'x', mode: 0o755, read() {} }] };`,
      /: files\[0\]\.mode must be 0o444, /,
    ],
    'a file that nobody reads': [
      `export default { summary: 'x', files: [{ path: 'x', mode: 0o444 }] };`,
      ': files[0] (x) has no read, nor is there hooks.read',
    ],
    'a file that nobody writes': [
      `export default { summary: 'x', files: [{ path: 'x', mode: 0o644, read() {} }] };`,
      ': files[0] (x) has no write, nor is there hooks.write',
    ],
    'one file twice': [
      `const read = () => ''; export default { summary: 'x', files: [{ path: 'x', mode: 0o444, read }, { path: 'x', mode: 0o444, read }] };`,
      ': files[1] (x) is there twice',
    ],
    'an action of every VNF': [
      `export default { summary: 'x', actions: { start: { summary: 's', run() {} } } };`,
      ': actions.start is a verb every VNF has',
    ],
    'an unknown hook': [
      `export default { summary: 'x', hooks: { readdir() {} } };`,
      /: hooks\.readdir is not known \(did you mean "read"\?\)|: hooks\.readdir is not known/,
    ],
    'a hook that is no function': [
      `export default { summary: 'x', hooks: { read: '' } };`,
      ': hooks.read must be a function, not a string',
    ],
  };
  for (const [name, [text, expected]] of Object.entries(malformed)) {
    it(`${name}: ENOEXEC`, async () => {
      const path = put('malformed.ts', text);
      const error = await loader.load('malformed').catch((reason: unknown) => reason);
      assert.ok(error instanceof NfioError);
      assert.deepEqual([error.code, error.errnoName], ['MalformedModuleError', 'ENOEXEC'], error.message);
      assert.ok(error.message.startsWith(path), error.message);
      if (typeof expected === 'string') assert.equal(error.message.slice(path.length).trimStart(), expected);
      else assert.match(error.message, expected);
    });
  }

  it('what is no regular file: ENOEXEC', async () => {
    symlinkSync('/etc/passwd', join(userRoot, 'link.ts'));
    mkdirSync(join(userRoot, 'directory.ts'));
    for (const type of ['link', 'directory'])
      await assert.rejects(loader.load(type), { code: 'MalformedModuleError', message: /not a regular file/ });
    rmSync(join(userRoot, 'link.ts'));
    rmSync(join(userRoot, 'directory.ts'), { recursive: true });
  });

  it('a module that throws while it is imported: EIO', async () => {
    for (const text of [`throw new Error('no luck');`, `JSON.parse('{no luck');`, `throw null;`]) {
      put('throwing.ts', `${text}\nexport default { summary: 'x' };`);
      await assert.rejects(loader.load('throwing'), {
        code: 'BrokenModuleError',
        errnoName: 'EIO',
        message: /throwing\.ts failed while it was loaded: /,
      });
    }
  });

  it('a module whose import never ends: EIO', async () => {
    const hasty = new ModuleLoader({ userRoot, logger, limits: { importTimeoutMs: 300 } });
    for (const endless of ['await new Promise(() => {});', 'for (;;);']) {
      put('endless.ts', `${endless}\nexport default { summary: 'x' };`);
      await assert.rejects(hasty.load('endless'), {
        code: 'BrokenModuleError',
        message: /endless\.ts did not finish loading within 0\.3 s/,
      });
    }
    rmSync(join(userRoot, 'endless.ts'));
  });

  it('and lists all the others', async () => {
    const entry = (await loader.list()).find(({ type }) => type === 'throwing');
    assert.match(entry?.error ?? '', /failed while it was loaded/);
    assert.ok((await loader.list()).some(({ type, error }) => type === 'firewall' && error === undefined));
  });

  it('to lie about a module root that is not there', async () => {
    const lost = new ModuleLoader({ userRoot: '/nonexistent/modules', logger });
    await assert.rejects(lost.list(), { code: 'BrokenModuleError', message: /^\/nonexistent\/modules cannot be read \(ENOENT\)/ });
  });
});

describe('A loaded module', () => {
  it('cannot throw anything but a NfioError', async () => {
    put(
      'hostile.ts',
      `const boom = () => { throw new Error('boom'); };
       const late = async () => { throw 'late'; };
       export default {
         summary: 'hostile',
         configuration: { default: '', language: { name: 'l', check: boom, apply: late, drops: boom } },
         files: [{ path: 'a', mode: 0o644, read: () => 7, write: boom }],
         actions: { melt: { summary: 'melts', run: late } },
         hooks: { mkdir: boom, getattr: boom, read: () => undefined, write: late },
       };`,
    );
    const { configuration, files, actions, hooks } = await loader.load('hostile');
    assert.ok(configuration && files?.[0] && actions?.['melt'] && hooks);
    const candidate = { text: '', guestPath: '' };
    const guest = { ports: [], signal: new AbortController().signal, execute: instance.execute, executeInNetwork: instance.execute };
    const caller = { uid: 0, gid: 0, pid: 1 };
    const calls: Readonly<Record<string, () => unknown>> = {
      'the configuration check failed: boom': () => configuration.language.check(candidate, undefined),
      'applying the configuration failed: late': () => configuration.language.apply(candidate, guest),
      'counting drops failed: boom': () => configuration.language.drops?.(guest),
      'reading a failed: it returned number, not a string': () => files[0]?.read?.(instance),
      'writing a failed: boom': () => files[0]?.write?.(instance, ''),
      'the action melt failed: late': () => actions['melt']?.run(instance),
      'the hook mkdir failed: boom': () => hooks.mkdir?.(instance, caller),
      'the hook getattr failed: boom': () => hooks.getattr?.(instance, 'a'),
      'the hook read failed: it returned undefined, no string or Uint8Array': () => hooks.read?.(instance, 'a'),
      'the hook write failed: late': () => hooks.write?.(instance, 'a', new Uint8Array()),
    };
    for (const [message, call] of Object.entries(calls)) {
      await assert.rejects(async () => call(), { code: 'BrokenModuleError', errnoName: 'EIO', message: `module hostile: ${message}` });
    }
  });

  it('keeps what a method of it is called on', async () => {
    put(
      'methods.ts',
      `class Files { greeting = 'hello'; read() { return this.greeting; } }\nexport default { summary: 'm', files: [{ path: 'a', mode: 0o444 }], hooks: new Files() };`,
    );
    const { hooks } = await loader.load('methods').catch(() => ({ hooks: undefined }));
    assert.equal(hooks, undefined, 'an unknown field, greeting, is refused');
    put(
      'methods.ts',
      `class Files { #greeting = 'hello'; read() { return this.#greeting; } }\nexport default { summary: 'm', files: [{ path: 'a', mode: 0o444 }], hooks: new Files() };`,
    );
    assert.equal(await (await loader.load('methods')).hooks?.read?.(instance, 'a'), 'hello');
    put('methods.ts', `export default { summary: 'm', files: [{ path: 'a', mode: 0o444, read() { return this.path; } }] };`);
    assert.equal(await (await loader.load('methods')).files?.[0]?.read?.(instance), 'a');
  });

  it('has a time limit', async (context) => {
    context.mock.timers.enable({ apis: ['setTimeout'] });
    put('slow.ts', `export default { summary: 's', files: [{ path: 'a', mode: 0o444, read: () => new Promise(() => {}) }] };`);
    const reading = Promise.resolve((await loader.load('slow')).files?.[0]?.read?.(instance));
    context.mock.timers.tick(10_000);
    await assert.rejects(reading, { code: 'BrokenModuleError', message: 'module slow: reading a did not finish within 10 s' });
  });
});

describe('A module that breaks its thread', () => {
  const patient = new ModuleLoader({ userRoot, logger, limits: { patienceMs: 1500, memoryMiB: 32 } });
  const breaks: Readonly<Record<string, readonly [statement: string, why: string]>> = {
    'that loops': ['for (;;);', 'has not come back for 1.5 s: look for a loop without an await'],
    'that ends the process': ['process.exit(0)', 'ended its own thread, with process.exit for one'],
    'that needs more and more memory': ['const all = []; for (;;) all.push(new Array(100_000).fill(1.5))', 'needs more than 32 MiB'],
    'that throws from a timer': [
      `setTimeout(() => { throw new Error('late'); }); return new Promise(() => {})`,
      'threw where nobody catches: late',
    ],
    'that nobody waits for': ['Promise.reject(null); return new Promise(() => {})', 'threw where nobody catches: '],
  };
  for (const [name, [statement, why]] of Object.entries(breaks)) {
    it(`by a function ${name} fails in that, and begins anew`, async () => {
      put(
        'breaking.ts',
        `let calls = 0;
         const read = () => String(++calls);
         const write = () => { ${statement} };
         export default { summary: 'b', files: [{ path: 'a', mode: 0o644, read, write }] };`,
      );
      const { files } = await patient.load('breaking');
      const [file] = files ?? [];
      assert.equal(await file?.read?.(instance), '1');
      assert.equal(await file?.read?.(instance), '2');
      const broken = assert.rejects(
        async () => file?.write?.(instance, ''),
        (error: NfioError) => {
          assert.deepEqual([error.code, error.errnoName], ['BrokenModuleError', 'EIO']);
          assert.ok(error.message.startsWith(`module breaking ${why}`), error.message);
          return true;
        },
      );
      assert.equal(await (await loader.load('own-ts')).summary, 'one of .ts', 'others go on');
      await broken;
      assert.match(log.at(-1) ?? '', /^module breaking .*; it begins anew at its next call$/);
      assert.equal(await file?.read?.(instance), '1');
    });
  }
});

describe('What a module is given', () => {
  const command = { argv: ['nft', 'list'], stdin: 'x' };
  const guest = (execute: HookInstance['execute'], signal = new AbortController().signal): GuestAccess => ({
    ports: ['lan', 'wan'],
    signal,
    execute,
    executeInNetwork: async ({ argv }) => ({ exitCode: 0, stdout: `outside: ${argv.join(' ')}`, stderr: '' }),
  });
  const language = async (body: string): Promise<ConfigLanguage> => {
    put(
      'given.ts',
      `import { NfioError } from 'nfio';
       const apply = async ({ text }, guest) => { ${body} };
       export default { summary: 'g', configuration: { default: '', language: { name: 'l', check: apply, apply } } };`,
    );
    const { configuration } = await loader.load('given');
    assert.ok(configuration);
    return configuration.language;
  };
  const candidate = { text: 'the text', guestPath: '' };

  it('are the values of an instance, and its guest', async () => {
    put(
      'asking.ts',
      `const read = async ({ type, name, value, execute }) => [type, name, value('machine/ip'), (await execute({ argv: ['id'] })).stdout].join(' ');
       export default { summary: 'a', files: [{ path: 'a', mode: 0o444, read }] };`,
    );
    const { files } = await loader.load('asking');
    const asked: HookInstance = { ...instance, execute: async ({ argv }) => ({ exitCode: 0, stdout: `ran ${argv}`, stderr: '' }) };
    assert.equal(await files?.[0]?.read?.(asked), 'x x-1 value of machine/ip ran id');
  });

  it('are a guest’s ports and both ways to run programs', async () => {
    const { apply, check } = await language(`
      const inside = await guest.execute(${JSON.stringify(command)});
      const outside = await guest.executeInNetwork({ argv: ['ip', 'a'] });
      throw new NfioError('ConfigurationError', { message: [text, guest.ports, inside.stdout, outside.stdout].join('; ') });`);
    const commands: unknown[] = [];
    const execute: HookInstance['execute'] = async (run) => {
      commands.push(run);
      return { exitCode: 0, stdout: 'inside', stderr: '' };
    };
    await assert.rejects(apply(candidate, guest(execute)), {
      code: 'ConfigurationError',
      message: 'the text; lan,wan; inside; outside: ip a',
    });
    assert.deepEqual(commands, [command]);
    await assert.rejects(check(candidate, undefined), { code: 'BrokenModuleError', message: /undefined/ });
  });

  it('are the failures of a guest, with their codes', async () => {
    const { apply } = await language(`
      await guest.execute({ argv: ['x'] }).catch((error) => { throw error instanceof NfioError ? error : new Error('another'); });`);
    const failing = guest(async () => {
      throw new NfioError('VNFNotRunningError', { message: 'not running' });
    });
    await assert.rejects(apply(candidate, failing), { code: 'VNFNotRunningError', message: 'not running' });
  });

  it('is word that nobody waits any more', async () => {
    const { apply } = await language(`
      await new Promise((resolve) => guest.signal.addEventListener('abort', resolve));
      throw new NfioError('InterruptedError', { message: 'told' });`);
    const abort = new AbortController();
    const applying = apply(
      candidate,
      guest(async () => assert.fail('nothing is run'), abort.signal),
    );
    setTimeout(() => abort.abort(), 20);
    await assert.rejects(applying, { code: 'InterruptedError', message: 'told' });
  });
});
