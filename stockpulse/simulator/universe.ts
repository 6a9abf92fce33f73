export const SECTORS = [
  'Communication Services',
  'Consumer Discretionary',
  'Consumer Staples',
  'Energy',
  'Financials',
  'Health Care',
  'Industrials',
  'Information Technology',
  'Materials',
  'Real Estate',
  'Utilities',
] as const;

export type Sector = (typeof SECTORS)[number];
export type Exchange = 'NYSE' | 'NASDAQ';

/** A simulated company under a familiar ticker. Only ticker, name and sector are real; every number is a parameter of the simulation. */
export interface Company {
  readonly symbol: string;
  readonly name: string;
  readonly sector: Sector;
  readonly exchange: Exchange;
  /** Dollars on the first session of 1990. */
  readonly startPrice: number;
  /** Annual, as a fraction. */
  readonly volatility: number;
  /** Sensitivity to the market factor relative to the average company. */
  readonly beta: number;
  /** Annual dividends as a fraction of the price. */
  readonly yield: number;
  /** Millions of shares on the first session of 1990, before any split. */
  readonly shares: number;
  /** Price over trailing earnings at the trend; null for a company without earnings. */
  readonly pe: number | null;
}

type Row = readonly [string, string, 'N' | 'Q', number, number, number, number, number, number | null];

const ROWS: Readonly<Record<Sector, readonly Row[]>> = {
  'Communication Services': [
    ['GOOGL', 'Alphabet Inc. Class A', 'Q', 48, 0.29, 1.08, 0.005, 1900, 26],
    ['META', 'Meta Platforms Inc. Class A', 'Q', 38, 0.36, 1.18, 0.004, 1500, 25],
    ['NFLX', 'Netflix Inc.', 'Q', 26, 0.4, 1.15, 0, 620, 42],
    ['DIS', 'The Walt Disney Company', 'N', 62, 0.27, 1.02, 0.01, 460, 24],
    ['VZ', 'Verizon Communications Inc.', 'N', 55, 0.2, 0.84, 0.058, 1900, 10],
    ['T', 'AT&T Inc.', 'N', 41, 0.22, 0.86, 0.05, 2400, 11],
  ],
  'Consumer Discretionary': [
    ['AMZN', 'Amazon.com Inc.', 'Q', 34, 0.34, 1.14, 0, 2300, 40],
    ['TSLA', 'Tesla Inc.', 'Q', 22, 0.52, 1.25, 0, 1600, 75],
    ['HD', 'The Home Depot Inc.', 'N', 58, 0.24, 1.0, 0.024, 520, 23],
    ['MCD', "McDonald's Corporation", 'N', 66, 0.19, 0.86, 0.022, 420, 24],
    ['NKE', 'NIKE Inc. Class B', 'N', 44, 0.29, 1.02, 0.016, 600, 27],
    ['SBUX', 'Starbucks Corporation', 'Q', 37, 0.28, 0.98, 0.023, 590, 25],
  ],
  'Consumer Staples': [
    ['WMT', 'Walmart Inc.', 'N', 52, 0.2, 0.84, 0.012, 1600, 28],
    ['COST', 'Costco Wholesale Corporation', 'Q', 71, 0.22, 0.9, 0.006, 310, 45],
    ['PG', 'The Procter & Gamble Company', 'N', 64, 0.18, 0.82, 0.024, 960, 24],
    ['KO', 'The Coca-Cola Company', 'N', 39, 0.17, 0.81, 0.03, 1700, 23],
    ['PEP', 'PepsiCo Inc.', 'Q', 57, 0.18, 0.82, 0.031, 620, 22],
  ],
  Energy: [
    ['XOM', 'Exxon Mobil Corporation', 'N', 49, 0.26, 0.98, 0.034, 1700, 13],
    ['CVX', 'Chevron Corporation', 'N', 61, 0.27, 1.0, 0.042, 800, 14],
    ['COP', 'ConocoPhillips', 'N', 43, 0.32, 1.06, 0.028, 560, 12],
    ['SLB', 'SLB N.V.', 'N', 36, 0.36, 1.12, 0.024, 620, 14],
    ['EOG', 'EOG Resources Inc.', 'N', 33, 0.34, 1.08, 0.029, 400, 11],
  ],
  Financials: [
    ['JPM', 'JPMorgan Chase & Co.', 'N', 57, 0.27, 1.08, 0.023, 1300, 12],
    ['BAC', 'Bank of America Corporation', 'N', 31, 0.3, 1.12, 0.025, 2600, 12],
    ['WFC', 'Wells Fargo & Company', 'N', 35, 0.29, 1.08, 0.027, 1300, 12],
    ['GS', 'The Goldman Sachs Group Inc.', 'N', 84, 0.3, 1.12, 0.022, 150, 14],
    ['V', 'Visa Inc. Class A', 'N', 53, 0.23, 0.98, 0.008, 860, 30],
    ['MA', 'Mastercard Incorporated Class A', 'N', 59, 0.24, 1.0, 0.006, 480, 34],
    ['BRK.B', 'Berkshire Hathaway Inc. Class B', 'N', 90, 0.19, 0.88, 0, 940, 21],
  ],
  'Health Care': [
    ['UNH', 'UnitedHealth Group Incorporated', 'N', 47, 0.25, 0.92, 0.016, 480, 19],
    ['JNJ', 'Johnson & Johnson', 'N', 68, 0.17, 0.8, 0.031, 980, 17],
    ['LLY', 'Eli Lilly and Company', 'N', 51, 0.29, 0.94, 0.007, 560, 52],
    ['PFE', 'Pfizer Inc.', 'N', 40, 0.25, 0.88, 0.052, 1500, 11],
    ['ABBV', 'AbbVie Inc.', 'N', 46, 0.23, 0.86, 0.036, 700, 18],
    ['MRK', 'Merck & Co. Inc.', 'N', 54, 0.21, 0.84, 0.03, 760, 14],
  ],
  Industrials: [
    ['CAT', 'Caterpillar Inc.', 'N', 63, 0.29, 1.08, 0.016, 240, 18],
    ['BA', 'The Boeing Company', 'N', 72, 0.37, 1.14, 0, 290, null],
    ['GE', 'GE Aerospace', 'N', 45, 0.3, 1.08, 0.007, 520, 36],
    ['UPS', 'United Parcel Service Inc. Class B', 'N', 56, 0.25, 0.98, 0.046, 330, 15],
    ['HON', 'Honeywell International Inc.', 'Q', 60, 0.21, 0.96, 0.021, 300, 22],
  ],
  'Information Technology': [
    ['AAPL', 'Apple Inc.', 'Q', 46, 0.28, 1.08, 0.005, 3400, 30],
    ['MSFT', 'Microsoft Corporation', 'Q', 55, 0.25, 1.04, 0.008, 2700, 33],
    ['NVDA', 'NVIDIA Corporation', 'Q', 24, 0.46, 1.24, 0.0003, 3800, 48],
    ['AVGO', 'Broadcom Inc.', 'Q', 42, 0.37, 1.16, 0.012, 980, 38],
    ['ORCL', 'Oracle Corporation', 'N', 39, 0.3, 1.04, 0.01, 900, 30],
    ['AMD', 'Advanced Micro Devices Inc.', 'Q', 20, 0.48, 1.24, 0, 640, 44],
    ['INTC', 'Intel Corporation', 'Q', 37, 0.36, 1.12, 0.012, 900, null],
    ['CRM', 'Salesforce Inc.', 'N', 41, 0.33, 1.1, 0.006, 420, 38],
  ],
  Materials: [
    ['LIN', 'Linde plc', 'Q', 69, 0.2, 0.94, 0.012, 240, 30],
    ['SHW', 'The Sherwin-Williams Company', 'N', 58, 0.24, 1.0, 0.009, 140, 31],
    ['FCX', 'Freeport-McMoRan Inc.', 'N', 28, 0.41, 1.18, 0.013, 420, 25],
    ['NEM', 'Newmont Corporation', 'N', 38, 0.36, 0.82, 0.02, 330, 17],
  ],
  'Real Estate': [
    ['PLD', 'Prologis Inc.', 'N', 50, 0.26, 1.02, 0.032, 260, 38],
    ['AMT', 'American Tower Corporation', 'N', 59, 0.25, 0.9, 0.031, 150, 40],
    ['SPG', 'Simon Property Group Inc.', 'N', 53, 0.29, 1.04, 0.049, 110, 22],
    ['O', 'Realty Income Corporation', 'N', 47, 0.2, 0.84, 0.056, 190, 48],
  ],
  Utilities: [
    ['NEE', 'NextEra Energy Inc.', 'N', 52, 0.24, 0.86, 0.028, 560, 21],
    ['DUK', 'Duke Energy Corporation', 'N', 64, 0.17, 0.8, 0.037, 250, 19],
    ['SO', 'The Southern Company', 'N', 58, 0.17, 0.8, 0.034, 340, 20],
    ['AEP', 'American Electric Power Company Inc.', 'Q', 61, 0.18, 0.8, 0.038, 170, 18],
  ],
};

function toCompany(sector: Sector, row: Row): Company {
  const [symbol, name, exchange, startPrice, volatility, beta, dividends, shares, pe] = row;
  return {
    symbol,
    name,
    sector,
    exchange: exchange === 'N' ? 'NYSE' : 'NASDAQ',
    startPrice,
    volatility,
    beta,
    yield: dividends,
    shares,
    pe,
  };
}

/** Every company, ordered by ticker. */
export const COMPANIES: readonly Company[] = SECTORS.flatMap((sector) => ROWS[sector].map((row) => toCompany(sector, row))).sort((a, b) =>
  a.symbol < b.symbol ? -1 : 1,
);
