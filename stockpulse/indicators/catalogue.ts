import { adx } from './adx.ts';
import { atr } from './atr.ts';
import { type Column, ema, sma } from './averages.ts';
import { bollinger } from './bollinger.ts';
import { cci } from './cci.ts';
import { macd } from './macd.ts';
import { roc } from './roc.ts';
import { rsi } from './rsi.ts';
import { stochastic } from './stochastic.ts';
import { obv, type PricedVolume, rollingVwap, sessionVwap } from './volume.ts';

export const INDICATOR_NAMES = ['SMA', 'EMA', 'RSI', 'MACD', 'BBANDS', 'ATR', 'STOCH', 'ADX', 'OBV', 'VWAP', 'CCI', 'ROC'] as const;
export type IndicatorName = (typeof INDICATOR_NAMES)[number];

export const PARAM_NAMES = ['period', 'fast', 'slow', 'signal', 'deviations', 'k', 'smooth', 'd'] as const;
export type ParamName = (typeof PARAM_NAMES)[number];
export type Params = Partial<Record<ParamName, number>>;

/** One indicator with its settled parameters. */
export interface Indicator {
  /** Names of the columns, unique to the indicator and its parameters. */
  readonly columns: readonly string[];
  /** Bars to feed before the first value that is used; 0 when it never looks beyond its own session, Infinity when it never forgets. */
  readonly warmUp: number;
  compute(bars: PricedVolume): readonly Column[];
}

interface Definition {
  readonly params: Params;
  /** Says what is wrong with settled parameters. */
  readonly check?: (params: Required<Params>) => string | undefined;
  readonly make: (params: Required<Params>, given: Params, intraday: boolean) => Indicator;
}

/** A window forgets at once; these are far more than it needs. */
const WINDOW = 10;
/** Averages that never quite forget: what is left of their start is below e^-30, whether alpha is 2 / (period + 1) or 1 / period. */
const EXPONENTIAL = 15;
const WILDER = 30;
/** Wilder's smoothing of what Wilder's smoothing gave fades as t e^-t. */
const WILDER_TWICE = 36;

const simple = (name: string, warmUp: number, compute: (bars: PricedVolume) => Column): Indicator => ({
  columns: [name],
  warmUp,
  compute: (bars) => [compute(bars)],
});

const DEFINITIONS: Readonly<Record<IndicatorName, Definition>> = {
  SMA: { params: { period: 20 }, make: ({ period }) => simple(`sma_${period}`, WINDOW * period, ({ close }) => sma(close, period)) },
  EMA: { params: { period: 20 }, make: ({ period }) => simple(`ema_${period}`, EXPONENTIAL * period, ({ close }) => ema(close, period)) },
  RSI: { params: { period: 14 }, make: ({ period }) => simple(`rsi_${period}`, WILDER * period, ({ close }) => rsi(close, period)) },
  MACD: {
    params: { fast: 12, slow: 26, signal: 9 },
    check: ({ fast, slow }) => (fast < slow ? undefined : `fast (${fast}) must be less than slow (${slow})`),
    make: ({ fast, slow, signal }) => {
      const name = `macd_${fast}_${slow}_${signal}`;
      return {
        columns: [name, `${name}_signal`, `${name}_histogram`],
        warmUp: EXPONENTIAL * (slow + signal),
        compute: ({ close }) => {
          const all = macd(close, { fast, slow, signal });
          return [all.line, all.signal, all.histogram];
        },
      };
    },
  },
  BBANDS: {
    params: { period: 20, deviations: 2 },
    make: ({ period, deviations }) => {
      const name = `bbands_${period}_${deviations}`;
      return {
        columns: [`${name}_upper`, `${name}_middle`, `${name}_lower`],
        warmUp: WINDOW * period,
        compute: ({ close }) => {
          const { upper, middle, lower } = bollinger(close, period, deviations);
          return [upper, middle, lower];
        },
      };
    },
  },
  ATR: { params: { period: 14 }, make: ({ period }) => simple(`atr_${period}`, WILDER * period, (bars) => atr(bars, period)) },
  STOCH: {
    params: { k: 14, smooth: 3, d: 3 },
    make: ({ k, smooth, d }) => {
      const name = `stoch_${k}_${smooth}_${d}`;
      return {
        columns: [`${name}_k`, `${name}_d`],
        warmUp: WINDOW * (k + smooth + d),
        compute: (bars) => {
          const both = stochastic(bars, { k, smooth, d });
          return [both.k, both.d];
        },
      };
    },
  },
  ADX: {
    params: { period: 14 },
    make: ({ period }) => ({
      columns: [`adx_${period}`, `adx_${period}_plus_di`, `adx_${period}_minus_di`],
      warmUp: WILDER_TWICE * period,
      compute: (bars) => {
        const all = adx(bars, period);
        return [all.adx, all.plus, all.minus];
      },
    }),
  },
  OBV: { params: {}, make: (_, __, intraday) => simple('obv', intraday ? 0 : Infinity, (bars) => obv(bars, intraday)) },
  VWAP: {
    params: { period: 20 },
    make: ({ period }, given, intraday) =>
      intraday && given.period === undefined
        ? simple('vwap', 0, sessionVwap)
        : simple(`vwap_${period}`, WINDOW * period, (bars) => rollingVwap(bars, period)),
  },
  CCI: { params: { period: 20 }, make: ({ period }) => simple(`cci_${period}`, WINDOW * period, (bars) => cci(bars, period)) },
  ROC: {
    params: { period: 12 },
    make: ({ period }) => simple(`roc_${period}_pct_frac`, WINDOW * period, ({ close }) => roc(close, period)),
  },
};

/** The parameters an indicator takes, with their defaults. */
export function defaultParams(name: IndicatorName): Params {
  return DEFINITIONS[name].params;
}

/** An indicator with its parameters settled, or what is wrong with them. */
export function makeIndicator(name: IndicatorName, given: Params, intraday: boolean): Indicator | { problem: string } {
  const definition = DEFINITIONS[name];
  const known = Object.keys(definition.params);
  const foreign = Object.keys(given).filter((param) => !known.includes(param));
  if (foreign.length > 0) return { problem: `${name} has no parameter ${foreign.join(', ')}; it takes ${known.join(', ') || 'none'}` };
  const params: Required<Params> = {
    period: 1,
    fast: 1,
    slow: 1,
    signal: 1,
    deviations: 1,
    k: 1,
    smooth: 1,
    d: 1,
    ...definition.params,
    ...given,
  };
  const problem = definition.check?.(params);
  return problem === undefined ? definition.make(params, given, intraday) : { problem: `${name}: ${problem}` };
}
