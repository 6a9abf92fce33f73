import { Type } from 'typebox';
import { searchCompanies } from '../analysis/index.ts';
import { envelope, envelopeSchema, STANDARD_CAPS } from '../envelope.ts';
import { type ApiRoute, defineRoute, READ_ONLY } from '../route.ts';
import { closed } from '../schema.ts';
import { limit } from './inputs.ts';
import type { Platform } from './platform.ts';

const DEFAULT_ROWS = 10;
const MOST_ROWS = 60;

const query = closed({
  query: Type.String({
    minLength: 1,
    maxLength: 64,
    pattern: '\\S',
    examples: ['apple', 'MSFT', 'health care'],
    description: 'Part of a ticker, words of a company name, or a sector.',
  }),
  limit: limit(DEFAULT_ROWS, MOST_ROWS, 'How many of the best matches to return.'),
});

const response = envelopeSchema({
  data: closed({ matches: Type.Integer({ description: 'All companies that match; the table has the best of them.' }) }),
  table: {
    columns: {
      fixed: [
        ['symbol', 'string'],
        ['name', 'string'],
        ['sector', 'string'],
        ['exchange', 'string'],
        ['matched', 'string'],
      ],
    },
  },
});

/** GET /v1/symbols: companies by ticker, name or sector, best match first. */
export function searchRoute(platform: Platform): ApiRoute {
  return defineRoute({
    operationId: 'search_symbols',
    method: 'GET',
    path: '/v1/symbols',
    summary: 'Search symbols',
    description:
      'Finds the ticker of a company by part of its ticker, name or sector, best match first. Only what it returns exists in this simulated market. matched says why: symbol, name, sector, or similar (a typing error).',
    query,
    response,
    mcp: {
      title: 'Search symbols',
      scope: 'market:read',
      annotations: READ_ONLY,
      caps: { ...STANDARD_CAPS, rows: DEFAULT_ROWS, maxRows: MOST_ROWS },
    },
    handle: ({ query: input }) => {
      const found = searchCompanies(platform.market, input.query);
      const best = found.slice(0, input.limit ?? DEFAULT_ROWS);
      return envelope({
        data: { matches: found.length },
        columns: ['symbol', 'name', 'sector', 'exchange', 'matched'],
        rows: best.map(({ company, matched }) => [company.symbol, company.name, company.sector, company.exchange, matched]),
        asOf: platform.now(),
        warnings: warningsOf(found.length, best.length),
      });
    },
  });
}

function warningsOf(found: number, shown: number): string[] {
  if (found === 0) return ['Nothing matches. Try a shorter part of the name, or screen_stocks without filters for all companies.'];
  return found > shown ? [`${found - shown} weaker matches are left out; raise limit or narrow the query.`] : [];
}
