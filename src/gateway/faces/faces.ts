import type { FastifyPluginAsync } from 'fastify';
import type { Readable, Writable } from 'node:stream';
import type { Authentication } from '../../security/index.ts';
import { BoundedCount, type Caps } from '../../shared/index.ts';
import { endpointAt, resolveEndpoint } from '../endpoints.ts';
import type { Services } from '../frame.ts';
import { Sessions } from '../sessions.ts';
import { httpFace, type HttpFace } from './http.ts';
import { LiveStreams } from './live-streams.ts';
import type { Responses } from './modern-port.ts';
import { Patience } from './patience.ts';
import { SseFace } from './sse.ts';
import { serveStdio } from './stdio.ts';
import { WebSocketFace, type SocketUpgrade } from './websocket.ts';

export interface FacesOptions {
  readonly services: Services;
  readonly caps: Caps;
  readonly limits: {
    readonly bodyBytes: number;
    readonly sessions: number;
    readonly sessionIdleMs: number;
    /** Requests in flight of one session or connection. */
    readonly inFlightPerStream: number;
  };
  readonly onError: (error: unknown) => void;
  /** How soon an answer becomes a stream, and what keeps streams alive: milliseconds. For tests. */
  readonly pace?: { readonly patienceMs: number; readonly tickMs: number };
}

/** All the ways in which clients reach the pipeline. */
export interface Faces {
  readonly http: FastifyPluginAsync;
  /** POSTs of Streamable HTTP that passed the guards outside Fastify. */
  readonly post: HttpFace['post'];
  stdio(input: Readable, output: Writable, authenticate: () => Authentication, server?: string, closing?: AbortSignal): Promise<boolean>;
  websocket(upgrade: SocketUpgrade): void;
  readonly sessions: number;
  /** Drops idle sessions; it happens by itself every 15 s. */
  sweep(): void;
  /** Questions to clients that are open end; the calls that wait for them go on. */
  endAsks(): void;
  close(): void;
}

const PACE = { patienceMs: 5000, tickMs: 15_000 };
/** On top of a call's own deadline: answers still due are written after the input ended. */
const DRAIN_MARGIN_MS = 1000;
const ASKS = 10_000;
/** A person may have to be found. */
const ASK_MS = 600_000;

export function createFaces({ services, caps, limits, onError, pace = PACE }: FacesOptions): Faces {
  const { registry, clock, settings } = services;
  const { bodyBytes, sessionIdleMs, inFlightPerStream: maxInFlight } = limits;
  const cap = limits.sessions;
  const asks = { open: new BoundedCount('client_asks', ASKS, caps), deadlineMs: ASK_MS };
  const drainMs = settings.deadlineMs + DRAIN_MARGIN_MS;
  const live = new LiveStreams({ name: 'http_streams', cap, caps, tickMs: pace.tickMs });
  const sockets = new LiveStreams({ name: 'websocket_clients', cap, caps, tickMs: pace.tickMs });
  const stdioClients = new BoundedCount('stdio_clients', cap, caps);
  const responses: Responses = { live, patience: new Patience(pace.patienceMs) };
  const sessions = new Sessions({ cap, idleMs: sessionIdleMs, caps, clock, services, maxInFlight, asks });
  const sse = new SseFace({ services, caps, live, cap, bodyBytes, maxInFlight, drainMs, asks });
  const websockets = new WebSocketFace({ services, live: sockets, frameBytes: bodyBytes, maxInFlight, drainMs, asks });

  function retire(): void {
    live.retire();
    sockets.retire();
    sessions.endListening();
  }

  const http = httpFace({ services, sessions, responses, sse, bodyBytes, onClosing: retire, onError });
  return {
    http: http.plugin,
    post: http.post,
    async stdio(input, output, authenticate, server, closing) {
      const endpoint = resolveEndpoint(server, registry);
      if (endpoint === undefined || !stdioClients.enter()) return false;
      const frameBytes = bodyBytes;
      try {
        await serveStdio({ services, endpoint, authenticate, input, output, closing, frameBytes, maxInFlight, drainMs, asks });
      } finally {
        stdioClients.leave();
      }
      return true;
    },
    websocket(upgrade) {
      const path = (upgrade.request.url ?? '').split('?', 1)[0] ?? '';
      const endpoint = endpointAt(path.replace(/\/$/, ''), registry);
      if (endpoint !== undefined) return websockets.serve(upgrade, endpoint);
      const message = 'WebSockets are at /mcp and /mcp/<server>. "stockpulse servers list" shows the servers that there are.';
      upgrade.refuse({ code: 'endpoint_not_found', message });
    },
    get sessions() {
      return sessions.size;
    },
    sweep: () => sessions.sweep(),
    endAsks: () => sessions.endAsks(),
    close() {
      retire();
      websockets.close();
      sessions.close();
    },
  };
}
