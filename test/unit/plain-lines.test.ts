import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isPlainLine } from '../../src/orchestrator/command-shell.ts';

test('a line of words alone needs no shell to see that it is complete', () => {
  for (const line of ['ping -c 3 10.2.0.10\n', 'ip route', 'A=1 make -C /x y.z\n', 'iffy\n', 'donate 5\n'])
    assert.ok(isPlainLine(line), line);
});

test('whatever may go on in the next line is none', () => {
  const lines = [
    'if true\n',
    ' for x in 1\n',
    'do\n',
    'echo "a\n',
    "echo 'a\n",
    'cat <<E\n',
    'a \\\n',
    'f() {\n',
    'a |\n',
    'a &&\n',
    'echo $(\n',
    'echo `\n',
    '(\n',
  ];
  for (const line of [...lines, 'two\nlines\n', '']) assert.ok(!isPlainLine(line), line);
});
