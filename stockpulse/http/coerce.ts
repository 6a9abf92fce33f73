import type { TObject } from 'typebox';

interface PropertySchema {
  readonly type?: unknown;
  readonly items?: PropertySchema;
}

const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?$/;

/** A text of a query string as the type its schema asks for; text that does not fit stays, for the validator to refuse. */
function coerceText(text: string, type: unknown): unknown {
  if ((type === 'integer' || type === 'number') && NUMBER.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function coerceValue(value: unknown, schema: PropertySchema): unknown {
  if (schema.type !== 'array') return typeof value === 'string' ? coerceText(value, schema.type) : value;
  const given: unknown[] = Array.isArray(value) ? value : [value];
  const parts = given.flatMap((part) => (typeof part === 'string' ? part.split(',') : [part]));
  return parts.map((part) => (typeof part === 'string' ? coerceText(part.trim(), schema.items?.type) : part));
}

/** Turns the texts of a query string or path into the types of their schema; arrays come as repeated keys, comma lists, or both. */
export function coerce(schema: TObject, data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const properties: Readonly<Record<string, PropertySchema>> = schema.properties;
  const entries = Object.entries(data).map(([name, value]) => {
    const property = Object.hasOwn(properties, name) ? properties[name] : undefined;
    return [name, property ? coerceValue(value, property) : value] as const;
  });
  return Object.fromEntries(entries);
}
