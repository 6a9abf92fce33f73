import { Type, type TInteger, type TOptional, type TString } from 'typebox';
import { SYMBOL_PATTERN } from './platform.ts';

export const SYMBOL = Type.String({
  pattern: SYMBOL_PATTERN,
  examples: ['AAPL', 'BRK.B'],
  description: 'Ticker, in any case; a share class follows a dot.',
});

/** The page size of a table; `rows` when left out. */
export function limit(rows: number, most: number, description: string): TOptional<TInteger> {
  return Type.Optional(Type.Integer({ minimum: 1, maximum: most, default: rows, description }));
}

export const CURSOR: TOptional<TString> = Type.Optional(
  Type.String({
    minLength: 1,
    maxLength: 512,
    pattern: '^[A-Za-z0-9_-]+$',
    description: 'next_cursor of the page before; all other arguments must be the same. Every page shows the market as of the first.',
  }),
);
