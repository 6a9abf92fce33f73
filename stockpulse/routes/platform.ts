import type { CursorSealer } from '../cursor.ts';
import { ApiError, ERROR_CODES } from '../errors.ts';
import type { Market, QuoteSource, Listing } from '../simulator/index.ts';
import type { Screener } from '../analysis/index.ts';
import { nearestSymbols } from '../analysis/index.ts';

/** What the routes work with. */
export interface Platform {
  readonly market: Market;
  readonly quotes: QuoteSource;
  readonly screener: Screener;
  readonly cursors: CursorSealer;
  /** Milliseconds since the epoch; throws a 503 ApiError when the clock is outside the simulated calendar. */
  now(): number;
}

export const SYMBOL_PATTERN = '^[A-Za-z][A-Za-z0-9./-]{0,9}$';

/** Upper case, and the class of a share after a dot: brk-b is BRK.B. */
export function normalSymbol(symbol: string): string {
  return symbol.toUpperCase().replaceAll(/[-/]/g, '.');
}

/** The listings of symbols in the order given, each once. Throws a 404 ApiError that names every unknown one. */
export function findListings(platform: Platform, symbols: readonly string[], field: string): Listing[] {
  const wanted = [...new Set(symbols.map(normalSymbol))];
  const unknown = wanted.filter((symbol) => !platform.market.find(symbol));
  if (unknown.length > 0) throw unknownSymbols(platform, unknown, field);
  return wanted.flatMap((symbol) => platform.market.find(symbol) ?? []);
}

function unknownSymbols(platform: Platform, unknown: readonly string[], field: string): ApiError {
  const guesses = [...new Set(unknown.flatMap((symbol) => nearestSymbols(platform.market, symbol)))];
  const guess = guesses.length > 0 ? `Did you mean ${guesses.join(', ')}? ` : '';
  return new ApiError({
    status: 404,
    code: ERROR_CODES.unknownSymbol,
    message: `Unknown symbol${unknown.length > 1 ? 's' : ''}: ${unknown.join(', ')}.`,
    field,
    hint: `${guess}search_symbols finds what is listed in this simulated market.`,
  });
}
