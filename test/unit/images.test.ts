import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { parseIndexTargets } from '../../src/cli/images/apt-sources.ts';
import { BuildProgress } from '../../src/cli/images/build-progress.ts';
import { buildableTypes, buildContext } from '../../src/cli/images/context.ts';
import { buildReport } from '../../src/cli/images/report.ts';
import { builtInModules } from '../../src/middleboxes/built-in.ts';

/** The members of a tar archive: name, mode and content. */
function membersOf(archive: Buffer): [name: string, mode: number, content: string][] {
  const members: [string, number, string][] = [];
  for (let at = 0; archive[at] !== 0; ) {
    const text = (from: number, length: number): string => archive.toString('latin1', at + from, at + from + length).replace(/\0.*$/s, '');
    const size = Number.parseInt(text(124, 12), 8);
    const header = Buffer.from(archive.subarray(at, at + 512));
    header.fill(' ', 148, 156);
    assert.equal(
      Number.parseInt(text(148, 8), 8),
      header.reduce((sum, byte) => sum + byte, 0),
    );
    members.push([text(0, 100), Number.parseInt(text(100, 8), 8), archive.toString('latin1', at + 512, at + 512 + size)]);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return members;
}

describe('what an engine builds from', () => {
  it('is a tar archive of the regular files, the same whenever it is made', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'nfio-context-'));
    try {
      writeFileSync(join(directory, 'run'), 'x'.repeat(513), { mode: 0o700 });
      writeFileSync(join(directory, 'Dockerfile'), 'FROM scratch\n', { mode: 0o600 });
      symlinkSync('/etc/passwd', join(directory, 'link'));
      const archives = [await buildContext(directory), await buildContext(directory)];
      const [first, second] = await Promise.all(archives.map(async (archive) => Buffer.concat(await archive.toArray())));
      assert.ok(first !== undefined && second !== undefined);
      assert.deepEqual(membersOf(first), [
        ['Dockerfile', 0o644, 'FROM scratch\n'],
        ['run', 0o755, 'x'.repeat(513)],
      ]);
      assert.deepEqual(first, second);
      assert.equal(first.length % 512, 0);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('is there for every built-in type', async () => {
    assert.deepEqual(await buildableTypes(), Object.keys(builtInModules).sort());
  });
});

describe('every built-in type', () => {
  for (const [type, load] of Object.entries(builtInModules)) {
    it(`${type} has an image and a process under Docker`, async () => {
      const { run } = (await load()).default;
      assert.equal(run?.docker?.image, `nfio/${type}:latest`);
      assert.equal(run.docker.command?.[0], '/bin/sh');
      if (run.netns?.command !== undefined) assert.deepEqual(run.docker.command, run.netns.command);
    });
  }
});

describe('the progress of a build', () => {
  it('has steps, what they print, and per cents', () => {
    const progress = new BuildProgress();
    assert.equal(progress.percent, 0);
    assert.equal(progress.take({ stream: 'Step 1/4 : ARG BASE\n' }), true);
    assert.equal(progress.take({ stream: ' ---> Using cache\n' }), false);
    assert.equal(progress.take({ stream: 'Step 3/4 : RUN apt-get update  && \t true\n' }), true);
    assert.deepEqual(progress.state, { step: 3, steps: 4, instruction: 'RUN apt-get update && true', said: '' });
    assert.equal(progress.percent, 50);
  });

  it('puts lines together that come in parts, and takes out what acts on a terminal', () => {
    const progress = new BuildProgress();
    for (const stream of ['Step 1/', '1 : RUN x\nGet', 'ting \u001b[31mred\u001b[0m\u0007\r']) progress.take({ stream });
    assert.equal(progress.state.said, 'Getting red');
  });

  it('keeps the last lines only, and of an endless one its end', () => {
    const progress = new BuildProgress();
    for (let line = 0; line < 100; line += 1) progress.take({ stream: `line ${line}\n` });
    assert.equal(progress.last.length, 20);
    assert.equal(progress.last.at(-1), 'line 99');
    for (let part = 0; part < 100; part += 1) progress.take({ stream: 'y'.repeat(1000) });
    progress.take({ stream: '\n' });
    assert.equal(progress.state.said.length, 300);
  });
});

describe('the report of a build', () => {
  const written = (interactive: boolean): string => {
    let text = '';
    const out = (part: string): void => {
      text += part;
    };
    const report = buildReport({ interactive, out, err: out });
    report.progress('a', 10, 'begins');
    report.progress('a', 10, 'goes on');
    report.progress('a', 60, 'ends');
    report.done('a built');
    return text;
  };

  it('is a line for each per cent where it is no terminal', () => {
    assert.equal(written(false), 'a 10 % begins\na 60 % ends\na built\n');
  });

  it('is one line that changes on a terminal', () => {
    const text = written(true);
    assert.equal(text.split('\n').length, 2);
    assert.match(text, /^\r\S*a {2}10 % begins/);
    assert.match(text, /\r\S*a built\n$/);
  });
});

describe('where packages come from', () => {
  const configured = `http://mirror.example/debian/ bookworm Debian main
http://mirror.example/debian/ bookworm Debian contrib
http://mirror.example/debian-security/ bookworm-security Debian-Security main
https://deb.nodesource.com/node_20.x/ nodistro . main
file:/srv/debian/ bookworm Debian main
`;

  it('is what apt uses here for the release', () => {
    assert.deepEqual(parseIndexTargets(configured), {
      mirror: 'http://mirror.example/debian/',
      list: ['deb http://mirror.example/debian/ bookworm main', 'deb http://mirror.example/debian-security/ bookworm-security main'],
    });
  });

  it("is Debian's public mirror elsewhere", () => {
    const mirror = 'http://deb.debian.org/debian';
    for (const text of ['', 'http://archive.ubuntu.com/ubuntu/ jammy Ubuntu main\n', 'http://mirror.example/debian/ trixie Debian main\n'])
      assert.deepEqual(parseIndexTargets(text), { mirror, list: [`deb ${mirror} bookworm main`] });
  });
});
