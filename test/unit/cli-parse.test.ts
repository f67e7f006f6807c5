import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { defineCommand } from '../../src/cli/command.ts';
import { commands } from '../../src/cli/commands/index.ts';
import { parseLine } from '../../src/cli/parse.ts';
import { UsageError } from '../../src/cli/usage-error.ts';
import { nearestWord } from '../../src/domain/did-you-mean.ts';

const brew = defineCommand({
  name: 'brew',
  summary: '',
  description: '',
  operands: ['POT'],
  options: {
    strength: { type: 'string', choices: ['weak', 'strong'], synonyms: { mighty: 'strong' }, aliases: ['power'], summary: '' },
    leaf: { type: 'string', value: 'LEAF', summary: '' },
    milk: { type: 'boolean', summary: '' },
    the_pot: { type: 'string', operand: true, hidden: true, summary: '' },
  },
  examples: [],
  run: async () => 0,
});

const pour = defineCommand({ ...brew, name: 'pour', rest: 'CUP' });

function usage(...argv: readonly string[]): string {
  try {
    parseLine(brew, argv);
  } catch (error) {
    assert.ok(error instanceof UsageError);
    assert.equal(error.command, 'brew');
    return error.message;
  }
  return 'no error';
}

describe('command lines', () => {
  test('of the last operand there may be any number where a command says so', () => {
    assert.deepEqual(parseLine(pour, ['kettle', 'one', 'two']).operands, ['kettle', 'one', 'two']);
    assert.deepEqual(parseLine(pour, ['kettle']).operands, ['kettle']);
    assert.throws(() => parseLine(pour, []), UsageError);
  });

  test('options come before, after and between operands, with = or a space', () => {
    const { values, operands } = parseLine(brew, ['--strength=weak', 'kettle', '--leaf', 'assam']);
    assert.deepEqual(values, { strength: 'weak', leaf: 'assam', milk: false, the_pot: undefined });
    assert.deepEqual(operands, ['kettle']);
  });

  test('aliases, synonyms and capitals mean the option and the choice they stand for', () => {
    assert.equal(parseLine(brew, ['--power', 'MIGHTY', 'kettle']).values['strength'], 'strong');
  });

  test('an operand may come in the guise of an option', () => {
    assert.deepEqual(parseLine(brew, ['--the_pot', 'kettle']).operands, ['kettle']);
    assert.equal(usage('kettle', '--the_pot', 'other'), 'nfio brew does not know what to do with other.');
  });

  test('what follows -- is never an option', () => {
    assert.deepEqual(parseLine(brew, ['--', '--milk']).operands, ['--milk']);
  });

  test('--help wins over everything that is wrong beside it', () => {
    assert.equal(parseLine(brew, ['--nonsense', '--help']).help, true);
  });

  test('what makes no sense is said in a sentence', () => {
    assert.equal(usage('--lef', 'assam', 'kettle'), '--lef is not an option of nfio brew. Did you mean --leaf?');
    assert.equal(usage('-x', 'kettle'), '-x is not an option of nfio brew.');
    assert.equal(usage('kettle', '--leaf'), '--leaf needs a value: --leaf LEAF.');
    assert.equal(usage('kettle', '--milk=no'), '--milk takes no value.');
    assert.equal(usage('kettle', '--strength', 'strog'), '--strength is one of weak, strong, not strog. Did you mean strong?');
    assert.equal(usage(), 'nfio brew needs POT.');
    assert.equal(usage('kettle', 'cup'), 'nfio brew does not know what to do with cup.');
  });
});

describe('suggestions', () => {
  const names = commands.map((command) => command.name);
  test('a slip of the finger finds the word', () => {
    for (const [word, meant] of [
      ['mout', 'mount'],
      ['monut', 'mount'],
      ['unmount', 'umount'],
      ['stat', 'status'],
      ['docter', 'doctor'],
    ] as const) {
      assert.equal(nearestWord(word, names), meant, word);
    }
  });

  test('a word that is far from all finds none', () => {
    assert.equal(nearestWord('frobnicate', names), undefined);
  });
});
