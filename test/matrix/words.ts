import type { Check } from './checks.ts';
import type { ClientName, Upstream } from './rows.ts';

/** A tick with a condition. Cells that it names pass as all others do, and the tests beside the matrix show the condition. */
export interface Word {
  readonly check: Check;
  readonly upstreams: readonly Upstream[];
  readonly clients: 'all' | readonly ClientName[];
  readonly word: string;
  readonly note: string;
}

/** A cell without a row here is a plain yes. */
export const WORDS: readonly Word[] = [
  {
    check: 'log',
    upstreams: ['sse', 'websocket', 'stdio-legacy'],
    clients: 'all',
    word: 'under a lease',
    note: 'On these wires a log message names no request. It is passed on when the connection carries this one call, which is so for a client that declared elicitation, sampling or roots; a client that declared none gets no log messages from there.',
  },
  {
    check: 'log',
    upstreams: ['websocket-modern', 'stdio-modern'],
    clients: 'all',
    word: 'one at a time',
    note: 'On these wires a log message names no request either, but comes only for one that asked for it. It is passed on while one call at this server wants log messages; while several do, nobody gets them.',
  },
];

/** What is in no cell of the matrix. Each has a test of the same name. */
export const BESIDES = {
  'modern over HTTP+SSE':
    'does not exist: the transport is of 2024-11-05, so a modern client is translated and the server hears legacy only',
  'modern over WebSocket': 'a custom transport: the messages of stdio, one to a frame, in the column "WebSocket, modern"',
  'log without a lease': 'none from HTTP+SSE, WebSocket and stdio in the legacy era',
  'log, two calls at a time': 'none from WebSocket and stdio in the modern era while both want them',
  'subscribe, a legacy server without sessions':
    'no: it has nobody to tell later, and the subscription is refused, or left out of the acknowledgement',
  'elicit, a client of 2024-11-05 or 2025-03-26': 'no: its revision has no elicitation, and it is never asked',
  'elicit, a client that declared `elicitation: {}`': 'forms only: it is never asked to open a URL',
} as const;

export type Beside = keyof typeof BESIDES;

export function wordFor(client: ClientName, upstream: Upstream, check: Check): string | undefined {
  const row = WORDS.find(
    (each) => each.check === check && each.upstreams.includes(upstream) && (each.clients === 'all' || each.clients.includes(client)),
  );
  return row?.word;
}
