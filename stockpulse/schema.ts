import { Type, type TObject, type TSchema, type TUnsafe } from 'typebox';

/** A string that is one of a fixed list, as plain JSON Schema that every host understands. */
export function oneOf<const Values extends readonly string[]>(
  values: Values,
  options: { description?: string; default?: Values[number] } = {},
): TUnsafe<Values[number]> {
  return Type.Unsafe<Values[number]>({ type: 'string', enum: [...values], ...options });
}

export function nullable(type: 'number' | 'integer' | 'string', description?: string): TUnsafe<string | null> | TUnsafe<number | null> {
  const schema = { type: [type, 'null'], ...(description === undefined ? {} : { description }) };
  return type === 'string' ? Type.Unsafe<string | null>(schema) : Type.Unsafe<number | null>(schema);
}

/** An object that takes no other keys. */
export function closed<Properties extends Record<string, TSchema>>(properties: Properties): TObject<Properties> {
  return Type.Object(properties, { additionalProperties: false });
}

export type Cell = string | number | boolean | null;

/** A cell's schema: its JSON type, or several. */
export type CellType = 'string' | 'number' | 'integer' | 'boolean' | readonly string[];

/** What a table's columns and rows look like. */
export interface TableShape {
  /** The columns in order where they are always the same; otherwise every name that may occur, or a pattern. */
  readonly columns:
    | { readonly fixed: readonly (readonly [name: string | readonly string[], type: CellType])[] }
    | { readonly any: readonly string[] }
    | 'free';
}

const CELL = { type: ['string', 'number', 'boolean', 'null'] };

/** Schemas of `columns` and `rows`. `items` beside `prefixItems` keeps them right for validators that only know draft 7. */
export function tableSchemas({ columns }: TableShape): { columns: TUnsafe<string[]>; rows: TUnsafe<Cell[][]> } {
  if (columns === 'free' || 'any' in columns) {
    const name = columns === 'free' ? { type: 'string' } : { type: 'string', enum: [...columns.any] };
    return {
      columns: Type.Unsafe<string[]>({ type: 'array', items: name, description: 'Names of the cells of each row, in order.' }),
      rows: Type.Unsafe<Cell[][]>({ type: 'array', items: { type: 'array', items: CELL } }),
    };
  }
  const size = { minItems: columns.fixed.length, maxItems: columns.fixed.length };
  const names = columns.fixed.map(([name]) => (typeof name === 'string' ? { const: name } : { enum: [...name] }));
  const cells = columns.fixed.map(([, type]) => ({ type: typeof type === 'string' ? type : [...type] }));
  return {
    columns: Type.Unsafe<string[]>({
      type: 'array',
      prefixItems: names,
      items: { type: 'string' },
      ...size,
      description: 'Names of the cells of each row, in order.',
    }),
    rows: Type.Unsafe<Cell[][]>({ type: 'array', items: { type: 'array', prefixItems: cells, items: CELL, ...size } }),
  };
}
