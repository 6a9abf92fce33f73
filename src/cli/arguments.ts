import { CliError, EXIT } from './failure.ts';

type Json = Record<string, unknown>;

const usage = (message: string): CliError => new CliError('invalid_request', message, EXIT.usage);

const isRecord = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value);

function json(text: string, what: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw usage(`${what} is not valid JSON: ${text.slice(0, 80)}`);
  }
}

/** The JSON types that a property may have; empty if its schema does not say. */
function typesOf(schema: unknown): string[] {
  if (!isRecord(schema)) return [];
  const { type, anyOf, oneOf } = schema;
  if (typeof type === 'string') return [type];
  if (Array.isArray(type)) return type.map(String);
  const branches: unknown = anyOf ?? oneOf;
  return Array.isArray(branches) ? branches.flatMap(typesOf) : [];
}

function scalar(text: string, schema: unknown): unknown {
  const types = typesOf(schema);
  if ((types.includes('number') || types.includes('integer')) && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(text)) return Number(text);
  if (types.includes('boolean') && (text === 'true' || text === 'false')) return text === 'true';
  if (types.includes('null') && text === 'null') return null;
  return text;
}

/** One `--arg` value in the type that the tool's schema wants: a list may be JSON or separated by commas, a mapping must be JSON. */
function typed(name: string, text: string, schema: unknown): unknown {
  const types = typesOf(schema);
  const looksLikeJson = /^\s*[[{]/.test(text);
  if (looksLikeJson && (types.includes('array') || types.includes('object'))) return json(text, `--arg ${name}`);
  if (!types.includes('array') || types.includes('string')) return scalar(text, schema);
  const items = isRecord(schema) ? schema['items'] : undefined;
  return text === '' ? [] : text.split(',').map((part) => scalar(part.trim(), items));
}

/**
 * The arguments of a call: the mapping `args` (JSON), then each `key=value`, typed by the tool's inputSchema. A list named twice grows.
 * Throws CliError `invalid_request` for what cannot be read; whether it fits the schema is the gateway's matter.
 */
export function callArguments(args: string | undefined, pairs: readonly string[], inputSchema: Json): Json {
  const whole = args === undefined ? {} : json(args, '--args');
  if (!isRecord(whole)) throw usage(`--args must be a JSON object, such as '{"symbol":"AAPL"}'.`);
  const result = new Map<string, unknown>(Object.entries(whole));
  const properties = isRecord(inputSchema['properties']) ? inputSchema['properties'] : {};
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw usage(`--arg wants key=value, not ${JSON.stringify(pair)}.`);
    const name = pair.slice(0, at);
    const value = typed(name, pair.slice(at + 1), Object.hasOwn(properties, name) ? properties[name] : undefined);
    const before = result.get(name);
    result.set(name, Array.isArray(before) && Array.isArray(value) ? [...(before as unknown[]), ...(value as unknown[])] : value);
  }
  return Object.fromEntries(result);
}
