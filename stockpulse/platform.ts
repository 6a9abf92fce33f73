import { setImmediate } from 'node:timers/promises';
import type { FastifyPluginAsync } from 'fastify';
import { Screener } from './analysis/index.ts';
import { FIRST_YEAR, LAST_YEAR, lastOpened, SESSION_COUNT, sessionAt } from './calendar/index.ts';
import { CursorSealer } from './cursor.ts';
import { ApiError, ERROR_CODES } from './errors.ts';
import { marketCacheHint } from './cache-hint.ts';
import { makePlugin } from './http/plugin.ts';
import type { ApiIdentity, ApiRefusal, ApiRoute } from './route.ts';
import { makeRoutes, type Platform } from './routes/index.ts';
import { Market, QuoteSource } from './simulator/index.ts';

export interface StockPulseOptions {
  /** Milliseconds since the epoch: wall, frozen or accelerated time. */
  readonly clock: { now(): number };
  /** Decides every price; any safe integer, 1 by default. */
  readonly seed?: number;
  /** Who calls the HTTP API. Reads Authorization: Bearer, or APCA-API-KEY-ID and APCA-API-SECRET-KEY. */
  authenticate(headers: Readonly<Record<string, string | string[] | undefined>>): ApiIdentity | ApiRefusal;
}

export interface StockPulse {
  readonly name: 'stockpulse';
  readonly title: string;
  readonly version: string;
  /** For agents: what this is and what it is not. */
  readonly instructions: string;
  readonly routes: readonly ApiRoute[];
  /** Register it under a prefix. Serves the routes and GET /openapi.json (OpenAPI 3.1). */
  readonly plugin: FastifyPluginAsync;
  /** How long an answer about the market may be kept, by the phase of the market. */
  marketCacheHint(): { ttlMs: number };
  /** Optional: simulates all companies up to now ahead of the first question, a few milliseconds at a time. Rejects when aborted. */
  warmUp(signal?: AbortSignal): Promise<void>;
}

const NAME = 'stockpulse';
const TITLE = 'StockPulse';
const VERSION = '0.1.0';

const INSTRUCTIONS = `StockPulse is a SIMULATED US stock market. The tickers and company names are familiar, but every price, volume and figure is generated: never present them as real, and never use them for real decisions.
All tools here only read. No order can be placed through them, and no real money is involved.
Find tickers with search_symbols; only symbols it returns exist. get_market_status tells whether the market is open. Times are in New York (America/New_York), amounts in US dollars, figures named *_pct_frac are fractions (0.05 is 5 %).
Tables come as columns and rows. When truncated is true, repeat the call with the same arguments and cursor set to next_cursor. Read warnings: they say when a bar is still forming or data is missing.`;

/** Builds the market side of the platform. Holds no timers and no connections; throws a RangeError for a seed that is no safe integer. */
export function createStockPulse(options: StockPulseOptions): StockPulse {
  const { clock, seed = 1 } = options;
  if (!Number.isSafeInteger(seed)) throw new RangeError(`The seed of the simulated market must be a safe integer, not ${seed}.`);
  const market = new Market(seed);
  const platform: Platform = {
    market,
    quotes: new QuoteSource(seed, market.listings),
    screener: new Screener(market),
    cursors: new CursorSealer(seed),
    now: () => checkedNow(clock.now()),
  };
  const routes = makeRoutes(platform);
  return {
    name: NAME,
    title: TITLE,
    version: VERSION,
    instructions: INSTRUCTIONS,
    routes,
    plugin: makePlugin({ title: TITLE, version: VERSION, routes, authenticate: (headers) => options.authenticate(headers) }),
    marketCacheHint: () => marketCacheHint(clock.now()),
    warmUp: (signal) => warmUp(platform, signal),
  };
}

async function warmUp(platform: Platform, signal: AbortSignal | undefined): Promise<void> {
  const session = lastOpened(platform.now());
  for (const listing of platform.market.listings) {
    signal?.throwIfAborted();
    listing.daily(session);
    await setImmediate();
  }
}

/** From the end of the first session on there is a bar to show. */
const firstInstant = sessionAt(0).close;
/** The session after it must exist, for late trading leads to its open. */
const lastInstant = sessionAt(SESSION_COUNT - 1).preOpen;

function checkedNow(now: number): number {
  if (now >= firstInstant && now < lastInstant) return Math.floor(now);
  throw new ApiError({
    status: 503,
    code: ERROR_CODES.noMarket,
    message: `The simulated market exists from ${FIRST_YEAR} to ${LAST_YEAR}; its clock is outside.`,
    hint: 'Set the clock of the simulation to a date in between.',
  });
}
