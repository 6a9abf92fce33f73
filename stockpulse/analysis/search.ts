import type { Company, Market } from '../simulator/index.ts';

export interface Match {
  readonly company: Company;
  readonly matched: 'symbol' | 'name' | 'sector' | 'similar';
}

const LARGEST_GUESS_DISTANCE = 1;

function words(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .filter((word) => word !== '');
}

/** How well a company answers a query; smaller is better, undefined is not at all. */
function rank(company: Company, query: string): { score: number; matched: Match['matched'] } | undefined {
  const symbol = company.symbol.toLowerCase();
  const asked = query.toLowerCase().trim();
  if (symbol === asked) return { score: 0, matched: 'symbol' };
  const name = words(company.name);
  const terms = words(query);
  const prefixes = terms.length > 0 && terms.every((term) => name.some((word) => word.startsWith(term)));
  if (prefixes && name[0]?.startsWith(terms[0] ?? '') === true) return { score: symbol.startsWith(asked) ? 1 : 2, matched: 'name' };
  if (symbol.startsWith(asked)) return { score: 1.5, matched: 'symbol' };
  if (prefixes) return { score: 3, matched: 'name' };
  const sector = words(company.sector);
  if (terms.length > 0 && terms.every((term) => sector.some((word) => word.startsWith(term)))) return { score: 4, matched: 'sector' };
  if (asked.length >= 3 && company.name.toLowerCase().includes(asked)) return { score: 5, matched: 'name' };
  return undefined;
}

function similar(company: Company, query: string): { score: number; matched: Match['matched'] } | undefined {
  const asked = query.toLowerCase().trim();
  if (distance(company.symbol.toLowerCase(), asked) <= LARGEST_GUESS_DISTANCE && asked.length > 1) return { score: 6, matched: 'similar' };
  const [first] = words(company.name);
  if (first !== undefined && asked.length > 3 && distance(first, asked) <= 2) return { score: 7, matched: 'similar' };
  return undefined;
}

/** Companies that answer a query, best first: exact ticker, then ticker and name prefixes, sectors, parts of names; typing errors last. */
export function searchCompanies(market: Market, query: string): Match[] {
  const score = (by: typeof rank): (Match & { score: number })[] =>
    market.listings.flatMap(({ company }) => {
      const found = by(company, query);
      return found ? [{ company, ...found }] : [];
    });
  const found = score(rank);
  const matches = found.length > 0 ? found : score(similar);
  return matches
    .sort((a, b) => a.score - b.score || (a.company.symbol < b.company.symbol ? -1 : 1))
    .map(({ company, matched }) => ({ company, matched }));
}

/** Up to three listed tickers that an unknown one may stand for. */
export function nearestSymbols(market: Market, symbol: string): string[] {
  return searchCompanies(market, symbol)
    .filter(({ matched }) => matched !== 'sector')
    .slice(0, 3)
    .map(({ company }) => company.symbol);
}

/** Edits between two words: insert, delete, replace, or swap neighbours (optimal string alignment). */
function distance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replace = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const swap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? (beforeLast[j - 2] ?? 0) + 1 : Infinity;
      row.push(Math.min(replace, swap, (last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? 0;
}
