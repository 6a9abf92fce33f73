import type { z } from 'zod';
import { pathText, type Path, type SourceDocument } from './document.ts';
import type { VariableSetting } from './environment.ts';
import type { Problem } from './problems.ts';
import { SECRET_SETTINGS, Settings } from './schema.ts';
import { nearest } from './suggest.ts';
import { knownKeys } from './walk.ts';

/** Where the parts of the input came from. */
export interface Origins {
  readonly document: SourceDocument | undefined;
  readonly variables: readonly VariableSetting[];
  /** Paths whose text came from `${env:NAME}`. */
  readonly templates: ReadonlyMap<string, string>;
}

const KINDS: Readonly<Record<string, string>> = {
  string: 'must be text (put it in quotes)',
  number: 'must be a number',
  int: 'must be a whole number',
  boolean: 'must be true or false',
  array: 'must be a list',
  object: 'must be a mapping (key: value)',
  record: 'must be a mapping (key: value)',
};

const startsWith = (path: Path, prefix: Path): boolean => prefix.every((part, index) => path[index] === part);

/** True for settings whose values must not be shown. */
export function isSecret(path: Path): boolean {
  if (path[0] === 'mcpServers') return path[2] === 'env' || path[2] === 'headers';
  return SECRET_SETTINGS.includes(path.join('.'));
}

/** `, not "abc"` for what may be shown. */
function shown(path: Path, input: unknown, origins: Origins): string {
  if (isSecret(path) || origins.templates.has(pathText(path))) return '';
  if (input === null) return ', not empty';
  if (Array.isArray(input)) return ', not a list';
  if (typeof input === 'object') return ', not a mapping';
  if (typeof input !== 'string') return typeof input === 'number' || typeof input === 'boolean' ? `, not ${String(input)}` : '';
  return input.length <= 60 ? `, not ${JSON.stringify(input)}` : '';
}

/** A problem at `path`, with the place it was written at. */
export function problemAt(path: Path, message: string, origins: Origins, what: 'key' | 'value' = 'value'): Problem {
  const variable = origins.variables.find((each) => startsWith(path, each.path));
  if (variable !== undefined) return { source: `environment variable ${variable.name}`, path: pathText(path), message };
  const { document } = origins;
  if (document === undefined) return { source: 'the settings', path: pathText(path), message };
  return { source: document.file, ...document.locate(path, what), path: pathText(path), message };
}

function unknownKey(path: Path, key: string, origins: Origins): Problem {
  const known = knownKeys(Settings, path);
  const guess = nearest(key, known);
  const hint = guess === undefined ? '' : ` Did you mean ${guess}?`;
  const list = guess === undefined && known.length > 0 && known.length <= 12 ? ` Known here: ${known.join(', ')}.` : '';
  return problemAt([...path, key], `unknown key.${hint}${list}`, origins, 'key');
}

function enumeration(values: readonly unknown[], input: unknown): string {
  const words = values.map(String);
  const guess = typeof input === 'string' ? nearest(input, words) : undefined;
  return `must be one of ${words.join(', ')}${guess === undefined ? '' : ` (did you mean ${guess}?)`}`;
}

function messageFor(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type') return KINDS[issue.expected] ?? issue.message;
  if (issue.code === 'invalid_value') return enumeration(issue.values, issue.input);
  if (issue.code === 'too_small') return `must be greater than ${issue.inclusive ? 'or equal to ' : ''}${issue.minimum}`;
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}`;
  return issue.message;
}

/** What the schema found wrong, in our words. */
export function problemsOf(issue: z.core.$ZodIssue, origins: Origins): Problem[] {
  const path = issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(path, key, origins));
  if (issue.code === 'invalid_key') return [problemAt(path, issue.issues[0]?.message ?? 'is not a valid name', origins, 'key')];
  // Numbers carry their range as the schema's own message; the others are worded here.
  const own = issue.message.startsWith('must ') ? issue.message : messageFor(issue);
  const message = /^must (be|look)/.test(own) ? own + shown(path, issue.input, origins) : own;
  return [problemAt(path, message, origins)];
}
