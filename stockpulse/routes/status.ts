import { Type } from 'typebox';
import { firstSessionFrom, phaseAt, rfc3339, SESSION_COUNT, type Session, sessionAt, toLocal } from '../calendar/index.ts';
import { envelope, envelopeSchema, STANDARD_CAPS } from '../envelope.ts';
import { type ApiRoute, defineRoute, READ_ONLY } from '../route.ts';
import { closed, nullable, oneOf } from '../schema.ts';
import { haltedListings } from '../simulator/index.ts';
import type { Platform } from './platform.ts';

const DEFAULT_SESSIONS = 5;
const MOST_SESSIONS = 60;

const query = closed({
  sessions: Type.Optional(
    Type.Integer({
      minimum: 1,
      maximum: MOST_SESSIONS,
      default: DEFAULT_SESSIONS,
      description: "How many sessions to list, from today's (or the next) on.",
    }),
  ),
});

const response = envelopeSchema({
  data: closed({
    is_open: Type.Boolean({ description: 'Whether regular trading is on.' }),
    session: oneOf(['pre', 'regular', 'post', 'closed']),
    is_session_day: Type.Boolean({ description: 'Whether today has a session at all.' }),
    next_open: nullable('string', 'Next regular open.'),
    next_close: nullable('string', 'Next regular close.'),
    halted: Type.Array(Type.String(), { description: 'Symbols whose trading is halted now.' }),
  }),
  table: {
    columns: {
      fixed: [
        ['date', 'string'],
        ['pre_open', 'string'],
        ['open', 'string'],
        ['close', 'string'],
        ['post_close', 'string'],
        ['early_close', 'boolean'],
      ],
    },
  },
});

/** GET /v1/market/status: the phase of the market and the sessions to come. */
export function statusRoute(platform: Platform): ApiRoute {
  return defineRoute({
    operationId: 'get_market_status',
    method: 'GET',
    path: '/v1/market/status',
    summary: 'Market status',
    description:
      'Whether the US stock market is open, when it opens and closes next, which symbols are halted, and the coming sessions with early closes. The market is SIMULATED; its calendar follows the rules of the New York exchanges.',
    query,
    response,
    mcp: {
      title: 'Market status',
      scope: 'market:read',
      annotations: READ_ONLY,
      caps: { ...STANDARD_CAPS, rows: DEFAULT_SESSIONS, maxRows: MOST_SESSIONS },
    },
    handle: ({ query: input }) => {
      const now = platform.now();
      const { day } = toLocal(now);
      const first = firstSessionFrom(day);
      const isSessionDay = first < SESSION_COUNT && sessionAt(first).day === day;
      const begin = isSessionDay && now >= sessionAt(first).postClose ? first + 1 : first;
      const sessions = upcoming(begin, input.sessions ?? DEFAULT_SESSIONS);
      const near = upcoming(first, 2);
      const phase = phaseAt(now);
      const nextOpen = near.find(({ open }) => open > now)?.open;
      const nextClose = near.find(({ close }) => close > now)?.close;
      return envelope({
        data: {
          is_open: phase === 'regular',
          session: phase,
          is_session_day: isSessionDay,
          next_open: nextOpen === undefined ? null : rfc3339(nextOpen),
          next_close: nextClose === undefined ? null : rfc3339(nextClose),
          halted: haltedListings(platform.market.listings, now).map(({ company }) => company.symbol),
        },
        columns: ['date', 'pre_open', 'open', 'close', 'post_close', 'early_close'],
        rows: sessions.map((one) => [
          one.date,
          rfc3339(one.preOpen),
          rfc3339(one.open),
          rfc3339(one.close),
          rfc3339(one.postClose),
          one.earlyClose,
        ]),
        asOf: now,
      });
    },
  });
}

function upcoming(first: number, count: number): Session[] {
  const length = Math.max(0, Math.min(count, SESSION_COUNT - first));
  return Array.from({ length }, (_, i) => sessionAt(first + i));
}
