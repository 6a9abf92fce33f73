import { STATUS_CODES, type IncomingMessage, type Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Authentication, Authenticator, Principal } from '../security/index.ts';
import type { Connections } from './connections.ts';
import { authenticateForMcp, challenge } from './guards.ts';
import { errorPayload, type RefusalFacts } from './refusal.ts';
import { statusOf } from '../contract/index.ts';

/** A connection that asked to be upgraded and whose credential passed the mcp guard. Exactly one of `accept` and `refuse` is called. */
export interface LocalUpgrade {
  readonly principal: Principal;
  /** The guard's verdict now: a connection outlives keys that are revoked or expire. */
  readonly authenticate: () => Authentication;
  readonly request: IncomingMessage;
  /** Aborts when the host begins to close: finish what is under way and end the connection; after the grace period it is destroyed. */
  readonly closing: AbortSignal;
  /** Answers 101; the connection is the caller's from here on, bytes that came early included. */
  readonly accept: () => Duplex;
  /** Answers with an error in JSON-RPC shape and ends the connection. */
  readonly refuse: (facts: RefusalFacts) => void;
}

export type UpgradeHandler = (upgrade: LocalUpgrade) => void;

function answer(socket: Duplex, status: number, headers: Readonly<Record<string, string>>, body: string): void {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${body}`);
}

function refuseWith(socket: Duplex, facts: RefusalFacts): void {
  const status = facts.status ?? statusOf(facts.code);
  const body = errorPayload('jsonrpc', status, facts);
  const headers = {
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
    connection: 'close',
  };
  answer(socket, status, { ...headers, ...facts.headers }, body);
}

/** HTTP upgrades of one listener: by protocol name, behind the mcp guard, capped, and closed with it. */
export class Upgrades {
  readonly #handlers = new Map<string, UpgradeHandler>();
  readonly #authenticator: Authenticator;
  readonly #connections: Connections;
  readonly #cap: number;
  readonly #closing: AbortSignal;

  constructor(options: { server: Server; authenticator: Authenticator; connections: Connections; cap: number; closing: AbortSignal }) {
    this.#authenticator = options.authenticator;
    this.#connections = options.connections;
    this.#cap = options.cap;
    this.#closing = options.closing;
    options.server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => this.#upgrade(request, socket, head));
  }

  on(protocol: string, handler: UpgradeHandler): void {
    this.#handlers.set(protocol, handler);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    // Without a listener a reset connection would end the process.
    socket.on('error', () => socket.destroy());
    const protocol = (request.headers.upgrade ?? '').toLowerCase();
    const handler = this.#handlers.get(protocol);
    if (handler === undefined) {
      refuseWith(socket, {
        code: 'upgrade_required',
        message: `This socket upgrades to: ${[...this.#handlers.keys()].join(', ') || 'nothing'}.`,
      });
      return;
    }
    const authenticate = (): Authentication => authenticateForMcp(this.#authenticator, request.headers.authorization);
    const who = authenticate();
    if (!who.ok) {
      const { code, message, status } = who;
      refuseWith(socket, { code, message, status, headers: { 'www-authenticate': challenge(who) } });
      return;
    }
    if (this.#connections.upgraded >= this.#cap) {
      const message = `${this.#cap} local connections are open, which is the cap: close some.`;
      refuseWith(socket, { code: 'busy', message, headers: { 'retry-after': '1' } });
      return;
    }
    this.#connections.adopt(socket);
    handler({
      principal: who.principal,
      authenticate,
      request,
      closing: this.#closing,
      accept: () => {
        socket.write(`HTTP/1.1 101 Switching Protocols\r\nupgrade: ${protocol}\r\nconnection: Upgrade\r\n\r\n`);
        if (head.length > 0) socket.unshift(head);
        return socket;
      },
      refuse: (facts) => refuseWith(socket, facts),
    });
  }
}
