import { lastOpened, lastSessionUntil, sessionAt, toLocal } from '../calendar/index.ts';
import { anchoredColumns, makeIndicator, sma } from '../indicators/index.ts';
import { type BarSeries, type Listing, type Sector, sizeOf, slice } from '../simulator/index.ts';

export const NUMBER_FIELDS = [
  'price',
  'change_pct_frac',
  'volume',
  'avg_volume_20',
  'market_cap',
  'pe',
  'dividend_yield_pct_frac',
  'rsi_14',
  'price_to_sma_20',
  'price_to_sma_50',
  'price_to_sma_200',
  'below_52w_high_pct_frac',
  'above_52w_low_pct_frac',
  'return_1m_pct_frac',
  'return_3m_pct_frac',
  'return_1y_pct_frac',
  'volatility_20d_pct_frac',
] as const;

export const TEXT_FIELDS = ['symbol', 'name', 'sector', 'exchange'] as const;
export const SCREEN_FIELDS = [...NUMBER_FIELDS, ...TEXT_FIELDS] as const;

export type NumberField = (typeof NUMBER_FIELDS)[number];
export type TextField = (typeof TEXT_FIELDS)[number];
export type ScreenField = (typeof SCREEN_FIELDS)[number];

/** What can be screened about a company; null where it has no such figure. */
export type Facts = Readonly<Record<NumberField, number | null> & { symbol: string; name: string; sector: Sector; exchange: string }>;

export function isTextField(field: ScreenField): field is TextField {
  return (TEXT_FIELDS as readonly string[]).includes(field);
}

const YEAR = 252;

/** The facts of one company as of `now`, from split-adjusted daily bars of which the last may still be forming. */
export function factsOf(listing: Listing, now: number): Facts {
  const last = lastOpened(now);
  const bars = listing.series({ timeframe: '1Day', from: Math.max(0, last - YEAR - 1), to: last, adjustment: 'split', now });
  const { company } = listing;
  const price = at(bars.close, -1);
  const year = { high: bars.high.subarray(-YEAR), low: bars.low.subarray(-YEAR) };
  // Before the open of an ex-date prices are already in new shares.
  const terms = lastSessionUntil(toLocal(now).day);
  const shares = company.shares * 1e6 * splitProduct(listing, terms);
  const earnings = company.pe === null ? null : listing.trendCents(terms) / 100 / company.pe;
  const facts: Record<NumberField, number> = {
    price,
    change_pct_frac: price / at(bars.close, -2) - 1,
    volume: at(bars.volume, -1),
    avg_volume_20: lastMean(bars.volume.subarray(0, -1), 20),
    market_cap: Math.round(price * shares),
    pe: earnings === null ? Number.NaN : price / earnings,
    dividend_yield_pct_frac: paidInYear(listing, terms) / price,
    rsi_14: relativeStrength(listing, bars, now),
    price_to_sma_20: price / lastMean(bars.close, 20),
    price_to_sma_50: price / lastMean(bars.close, 50),
    price_to_sma_200: price / lastMean(bars.close, 200),
    below_52w_high_pct_frac: 1 - price / Math.max(...year.high),
    above_52w_low_pct_frac: price / Math.min(...year.low) - 1,
    return_1m_pct_frac: price / at(bars.close, -22) - 1,
    return_3m_pct_frac: price / at(bars.close, -64) - 1,
    return_1y_pct_frac: price / at(bars.close, -YEAR - 1) - 1,
    volatility_20d_pct_frac: volatility(bars, 20),
  };
  return { ...finite(facts), symbol: company.symbol, name: company.name, sector: company.sector, exchange: company.exchange };
}

function finite(facts: Record<NumberField, number>): Record<NumberField, number | null> {
  const entries = NUMBER_FIELDS.map(
    (field) => [field, Number.isFinite(facts[field]) ? Number(facts[field].toPrecision(13)) : null] as const,
  );
  return Object.fromEntries(entries) as Record<NumberField, number | null>;
}

function at(values: Float64Array, position: number): number {
  return values.at(position) ?? Number.NaN;
}

function lastMean(values: Float64Array, period: number): number {
  return at(sma(values.slice(-period), period), -1);
}

/** The same value that get_technical_indicators gives. */
function relativeStrength(listing: Listing, bars: BarSeries, now: number): number {
  const indicator = makeIndicator('RSI', { period: 14 }, false);
  if ('problem' in indicator) return Number.NaN;
  const newest = slice(bars, sizeOf(bars) - 1, sizeOf(bars));
  return anchoredColumns([indicator], newest, { listing, timeframe: '1Day', now })[0]?.[0] ?? Number.NaN;
}

/** Annualised standard deviation of the last daily log returns. */
function volatility(bars: BarSeries, period: number): number {
  const size = sizeOf(bars);
  if (size <= period) return Number.NaN;
  const close = bars.close.subarray(size - period - 1);
  const returns = Array.from({ length: period }, (_, i) => Math.log((close[i + 1] ?? 1) / (close[i] ?? 1)));
  const mean = returns.reduce((sum, value) => sum + value, 0) / period;
  const variance = returns.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (period - 1);
  return Math.sqrt(variance * YEAR);
}

function splitProduct(listing: Listing, session: number): number {
  return listing.daily(session).splits.reduce((all, split) => (split.session <= session ? all * split.ratio : all), 1);
}

/** Dividends with an ex-date in the year to `session`, in dollars of today's shares. */
function paidInYear(listing: Listing, session: number): number {
  const since = sessionAt(session).day - 365;
  const { dividends, splits } = listing.daily(session);
  let paid = 0;
  for (const dividend of dividends) {
    if (dividend.session > session || sessionAt(dividend.session).day <= since) continue;
    const later = splits.filter((split) => split.session > dividend.session && split.session <= session);
    paid += later.reduce((cents, split) => cents / split.ratio, dividend.cents) / 100;
  }
  return paid;
}
