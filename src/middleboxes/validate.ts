import { didYouMean } from '../domain/did-you-mean.ts';
import { verbs } from '../domain/lifecycle.ts';
import type { Middlebox } from '../domain/middlebox.ts';
import { NfioError } from '../errors/index.ts';

/** A check of one value; it says what is wrong by throwing an Error through `wrong`. */
type Check = (value: unknown, field: string) => void;

const fileModes: readonly unknown[] = [0o444, 0o644, 0o600, 0o200];

/** Files every instance has, which a module's own must not hide. */
const takenNames = ['action', 'status', 'error', 'command', 'log', 'config', 'machine', 'ports', 'rfs'];

const text: Check = (value, field) => {
  if (typeof value !== 'string') throw wrong(field, `must be a string, not ${kindOf(value)}`);
};

const lineOfText: Check = (value, field) => {
  text(value, field);
  if (value === '' || (value as string).includes('\n')) throw wrong(field, 'must be one line of text');
};

const callable: Check = (value, field) => {
  if (typeof value !== 'function') throw wrong(field, `must be a function, not ${kindOf(value)}`);
};

const flag: Check = (value, field) => {
  if (typeof value !== 'boolean') throw wrong(field, `must be true or false, not ${kindOf(value)}`);
};

const language = record({ name: lineOfText, check: callable, apply: callable }, { drops: callable, restore: callable, service: flag });

const profile = record(
  {},
  {
    command: (value, field) => {
      listOf(text)(value, field);
      if ((value as unknown[]).length === 0 || (value as unknown[])[0] === '') throw wrong(field, 'names no program');
    },
    image: text,
    requires: listOf(record({ program: lineOfText, package: lineOfText }, {})),
  },
);

const file: Check = (value, field) => {
  record({ path: filePath, mode: fileMode }, { read: callable, write: callable })(value, field);
};

const middlebox = record(
  { summary: lineOfText },
  {
    configuration: record({ language, default: text }, {}),
    sysctl: mapOf(text, (name, field) => {
      if (!/^net(\.[A-Za-z0-9_/-]+)+$/.test(name)) throw wrong(field, 'is not a setting below net., which are all a guest has of its own');
    }),
    run: record({}, { netns: profile, docker: profile, libvirt: profile }),
    intercepts: flag,
    translates: flag,
    files: listOf(file),
    actions: mapOf(record({ summary: lineOfText, run: callable }, {}), actionName),
    hooks: record({}, { mkdir: callable, getattr: callable, read: callable, write: callable }),
  },
);

/**
 * Checks that what a module's file exports is a middlebox, completely: nothing missing, nothing of the wrong kind, nothing unknown.
 *
 * @throws MalformedModuleError (ENOEXEC) naming the file and the field.
 */
export function validateMiddlebox(path: string, exported: unknown): Middlebox {
  try {
    middlebox(exported, '');
    filesAreReadable(exported as Middlebox);
  } catch (cause) {
    if (!(cause instanceof FieldError)) throw cause;
    throw new NfioError('MalformedModuleError', { message: `${path}: ${cause.message}` });
  }
  return exported as Middlebox;
}

/** A file that can be read needs a read of its own or the hook, one that can be written a write; no two have one path. */
function filesAreReadable({ files = [], hooks = {} }: Middlebox): void {
  const seen = new Set<string>();
  for (const [index, { path, mode, read, write }] of files.entries()) {
    const field = `files[${index}] (${path})`;
    if (seen.has(path)) throw wrong(field, 'is there twice');
    seen.add(path);
    if ((mode & 0o444) !== 0 && read === undefined && hooks.read === undefined) throw wrong(field, 'has no read, nor is there hooks.read');
    if ((mode & 0o222) !== 0 && write === undefined && hooks.write === undefined)
      throw wrong(field, 'has no write, nor is there hooks.write');
  }
}

function filePath(value: unknown, field: string): void {
  text(value, field);
  const parts = (value as string).split('/');
  if (parts.length > 8 || !parts.every((part) => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/.test(part))) {
    throw wrong(field, `${JSON.stringify(value)} is not a path below the instance such as stats/sessions`);
  }
  if (takenNames.includes(parts[0] ?? '')) throw wrong(field, `${parts[0]} is a file every VNF has`);
}

function fileMode(value: unknown, field: string): void {
  if (!fileModes.includes(value)) throw wrong(field, 'must be 0o444, 0o644, 0o600 or 0o200');
}

function actionName(name: string, field: string): void {
  if (!/^[a-z][a-z0-9_-]{0,30}$/.test(name)) throw wrong(field, 'is not a lower-case word');
  if ((verbs as readonly string[]).includes(name)) throw wrong(field, 'is a verb every VNF has');
}

function record(required: Readonly<Record<string, Check>>, optional: Readonly<Record<string, Check>>): Check {
  const known = [...Object.keys(required), ...Object.keys(optional)];
  return (value, field) => {
    const fields = objectOf(value, field);
    for (const key of Object.keys(fields)) {
      if (!known.includes(key)) throw wrong(join(field, key), `is not known${didYouMean(key, known)}; known here: ${known.join(', ')}`);
    }
    for (const [key, check] of Object.entries(required)) {
      if (fields[key] === undefined) throw wrong(join(field, key), 'is missing');
      check(fields[key], join(field, key));
    }
    for (const [key, check] of Object.entries(optional)) if (fields[key] !== undefined) check(fields[key], join(field, key));
  };
}

function mapOf(check: Check, checkName: (name: string, field: string) => void): Check {
  return (value, field) => {
    for (const [name, each] of Object.entries(objectOf(value, field))) {
      checkName(name, join(field, name));
      check(each, join(field, name));
    }
  };
}

function listOf(check: Check): Check {
  return (value, field) => {
    if (!Array.isArray(value)) throw wrong(field, `must be an array, not ${kindOf(value)}`);
    for (const [index, each] of value.entries()) check(each, `${field}[${index}]`);
  };
}

function objectOf(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wrong(field, `must be an object, not ${kindOf(value)}`);
  return value as Readonly<Record<string, unknown>>;
}

function join(field: string, key: string): string {
  return field === '' ? key : `${field}.${key}`;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

class FieldError extends Error {}

function wrong(field: string, why: string): FieldError {
  return new FieldError(`${field === '' ? 'the default export' : field} ${why}`);
}
