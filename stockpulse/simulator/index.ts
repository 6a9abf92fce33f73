export { ADJUSTMENTS, type Adjustment } from './adjust.ts';
export { type BarSeries, INTRADAY_MINUTES, sizeOf, slice, TIMEFRAMES, type Timeframe } from './bars.ts';
export { Lru } from './lru.ts';
export { barBound, type DayBar, type Listing, Market } from './market.ts';
export { haltedListings, QuoteSource, type Snapshot } from './quotes.ts';
export { COMPANIES, type Company, SECTORS, type Sector } from './universe.ts';
