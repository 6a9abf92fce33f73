import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Authentication, Authenticator, Principal } from '../security/index.ts';
import type { Connections } from './connections.ts';
import { authenticateForMcp, challenge, type Admission } from './guards.ts';
import { errorPayload, type RefusalFacts } from './refusal.ts';
import { statusOf } from '../contract/index.ts';

/** A connection that asked to be upgraded and passed the mcp guard. Exactly one of `accept`, `take` and `refuse` is called. */
export interface Upgrade {
  readonly principal: Principal;
  /** The guard's verdict now: a connection outlives keys that are revoked or expire. */
  readonly authenticate: () => Authentication;
  /** Counts one request against the key's rate: milliseconds to wait, 0 for none. Nothing is counted on the local socket. */
  readonly admit: () => number;
  readonly request: IncomingMessage;
  /** Aborts when the host begins to close: finish what is under way and end the connection; after the grace period it is destroyed. */
  readonly closing: AbortSignal;
  /** Answers 101; the connection is the caller's from here on, bytes that came early included. */
  readonly accept: () => Duplex;
  /** The connection as it is, for a caller that answers the handshake itself, and the bytes that came early. */
  readonly take: () => { readonly socket: Duplex; readonly head: Buffer };
  /** Answers with an error in JSON-RPC shape and ends the connection. */
  readonly refuse: (facts: RefusalFacts) => void;
}

export type UpgradeHandler = (upgrade: Upgrade) => void;

export interface UpgradesOptions {
  readonly server: Server;
  readonly judge: (request: IncomingMessage) => Admission;
  readonly connections: Connections;
  readonly cap: number;
  readonly closing: AbortSignal;
  readonly onRefused?: ((request: IncomingMessage, facts: RefusalFacts, status: number) => void) | undefined;
}

/** The judge of the local socket: who can open it still shows a key, because calls are made for somebody. */
export function localJudge(authenticator: Authenticator): UpgradesOptions['judge'] {
  return ({ headers }) => {
    const authenticate = (): Authentication => authenticateForMcp(authenticator, headers.authorization);
    const who = authenticate();
    if (who.ok) return { ok: true, principal: who.principal, authenticate, admit: () => 0 };
    const { code, message, status } = who;
    return { ok: false, refusal: { code, message, status, headers: { 'www-authenticate': challenge(who) } } };
  };
}

function answer(socket: Duplex, status: number, headers: Readonly<Record<string, string>>, body: string): void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
}

/** HTTP upgrades of one listener: by protocol name, behind the mcp guard, capped, and closed with it. */
export class Upgrades {
  readonly #handlers = new Map<string, UpgradeHandler>();
  readonly #options: UpgradesOptions;

  constructor(options: UpgradesOptions) {
    this.#options = options;
    options.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#upgrade(request, socket, head));
  }

  on(protocol: string, handler: UpgradeHandler): void {
    this.#handlers.set(protocol, handler);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Without a listener a reset connection would end the process.
    socket.on('error', () => socket.destroy());
    const refuse = (facts: RefusalFacts): void => this.#refuse(request, socket, facts);
    const protocol = (request.headers.upgrade ?? '').toLowerCase();
    const handler = this.#handlers.get(protocol);
    if (handler === undefined)
      return refuse({
        code: 'upgrade_required',
        message: `This server upgrades to: ${[...this.#handlers.keys()].join(', ') || 'nothing'}.`,
      });
    const { judge, connections, cap, closing } = this.#options;
    const admission = judge(request);
    if (!admission.ok) return refuse(admission.refusal);
    if (connections.upgraded >= cap || closing.aborted) {
      const message = closing.aborted
        ? 'The server is shutting down: try again soon.'
        : `${cap} connections are open, which is the cap: close some.`;
      return refuse({ code: 'busy', message, headers: { 'retry-after': '1' } });
    }
    connections.adopt(socket);
    const { principal, authenticate, admit } = admission;
    handler({
      principal,
      authenticate,
      admit,
      request,
      closing,
      accept: () => {
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: ${protocol}\r\nconnection: Upgrade\r\n\r\n`);
        if (head.length > 0) socket.unshift(head);
        return socket;
      },
      take: () => ({ socket, head }),
      refuse,
    });
  }

  #refuse(request: IncomingMessage, socket: Duplex, facts: RefusalFacts): void {
    const status = facts.status ?? statusOf(facts.code);
    this.#options.onRefused?.(request, facts, status);
    const body = errorPayload('jsonrpc', status, facts);
    const headers = {
      'content-type': 'application/json; charset=utf-8',
      'content-length': String(Buffer.byteLength(body)),
      connection: 'close',
    };
    answer(socket, status, { ...headers, ...facts.headers }, body);
  }
}
