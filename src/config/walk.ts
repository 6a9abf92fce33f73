import type { z } from 'zod';
import type { Path } from './document.ts';

interface Definition {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly options?: readonly z.ZodType[];
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly defaultValue?: unknown;
  readonly entries?: Readonly<Record<string, string>>;
  readonly values?: readonly unknown[];
}

/** What zod knows about a schema, without its generic types. */
export const definitionOf = (schema: z.ZodType): Definition => schema.def as unknown as Definition;

/** The schema inside optional, default, prefault and transform wrappers. */
export function unwrap(schema: z.ZodType): z.ZodType {
  const { innerType, in: input } = definitionOf(schema);
  const inner = innerType ?? input;
  return inner === undefined ? schema : unwrap(inner);
}

function child(schema: z.ZodType, part: string | number): z.ZodType | undefined {
  const { type, shape, valueType, element, options } = definitionOf(unwrap(schema));
  if (type === 'object') return shape?.[part];
  if (type === 'record') return valueType;
  if (type === 'array') return element;
  for (const option of options ?? []) {
    const found = child(option, part);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The schema of the setting at `path`, unwrapped; undefined if there is none. */
export function schemaAt(root: z.ZodType, path: Path): z.ZodType | undefined {
  let schema: z.ZodType | undefined = root;
  for (const part of path) {
    schema = child(schema, part);
    if (schema === undefined) return undefined;
  }
  return unwrap(schema);
}

/** The keys that may stand in the mapping at `path`. */
export function knownKeys(root: z.ZodType, path: Path): string[] {
  const schema = schemaAt(root, path);
  if (schema === undefined) return [];
  const { shape, options } = definitionOf(schema);
  const shapes = shape === undefined ? (options ?? []).map((option) => definitionOf(unwrap(option)).shape ?? {}) : [shape];
  return shapes.flatMap((each) => Object.keys(each));
}

/** Text that came from the environment, as the type that the setting at `path` wants; unchanged if it is not of that form. */
export function typedText(root: z.ZodType, path: Path, text: string): unknown {
  const schema = schemaAt(root, path);
  const type = schema === undefined ? 'string' : definitionOf(schema).type;
  if (type === 'number' && /^-?\d{1,15}(\.\d{1,9})?$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}
