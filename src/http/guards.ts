import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import {
  LOCAL_OPERATOR,
  mayCallMcp,
  MCP_SCOPES,
  rateKey,
  RateLimiter,
  type Authentication,
  type Authenticator,
  type Principal,
  type Refusal,
} from '../security/index.ts';
import type { Guard, HttpHostOptions, HttpLimits } from './options.ts';
import type { RefusalFacts, Refuser } from './refusal.ts';

type Hook = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction) => void;

const MAX_BUCKETS = 10_000;
const REALM = 'Bearer realm="StockPulse MCP"';

/** The challenge of RFC 6750 section 3: without an error attribute if there was no credential at all. */
export function challenge(refusal: Refusal): string {
  if (refusal.code === 'credential_missing') return REALM;
  const description = refusal.message.replaceAll('"', "'").replace(/[^\x20-\x21\x23-\x5b\x5d-\x7e]/g, '?');
  if (refusal.status === 403)
    return `${REALM}, error="insufficient_scope", scope="${MCP_SCOPES.join(' ')}", error_description="${description}"`;
  return `${REALM}, error="invalid_token", error_description="${description}"`;
}

const NOT_FOR_MCP: Refusal = Object.freeze({
  ok: false,
  code: 'forbidden',
  status: 403,
  message: `This key may not call MCP: an agent needs a key with one of the scopes ${MCP_SCOPES.join(', ')} (stockpulse keys create).`,
});

const NOT_FOR_ADMIN: Refusal = Object.freeze({
  ok: false,
  code: 'forbidden',
  status: 403,
  message: 'The management API needs a key with the scope admin, or the stockpulse command on the machine itself.',
});

/** The verdict of the mcp guard on a credential; also used for upgrades on the local socket. */
export function authenticateForMcp(authenticator: Authenticator, authorization: string | undefined): Authentication {
  const who = authenticator.authenticate(authorization);
  return who.ok && !mayCallMcp(who.principal) ? NOT_FOR_MCP : who;
}

function authenticateForAdmin(authenticator: Authenticator, authorization: string | undefined): Authentication {
  const who = authenticator.authenticate(authorization);
  return who.ok && !who.principal.scopes.has('admin') ? NOT_FOR_ADMIN : who;
}

/** Whether a connection may be upgraded, and for whom. */
export type Admission =
  | {
      readonly ok: true;
      readonly principal: Principal;
      /** The guard's verdict now: a connection outlives keys that are revoked or expire. */
      readonly authenticate: () => Authentication;
      /** Counts one request against the key's rate: milliseconds to wait, 0 for none. */
      readonly admit: () => number;
    }
  | { readonly ok: false; readonly refusal: RefusalFacts };

function limited(waitMs: number, message: string): RefusalFacts {
  return { code: 'rate_limited', message, headers: { 'retry-after': String(Math.ceil(waitMs / 1000)) } };
}

/** The `onRequest` hooks of the guarded surfaces: authenticate, then the coarse rate limits, before a body byte is read. */
export class Guards {
  readonly #authenticator: Authenticator;
  readonly #refuser: Refuser;
  readonly #limits: HttpLimits;
  readonly #perKey: RateLimiter;
  readonly #refusals: RateLimiter;

  constructor(options: HttpHostOptions, limits: HttpLimits, refuser: Refuser) {
    const { authenticator, caps, clock } = options;
    this.#authenticator = authenticator;
    this.#refuser = refuser;
    this.#limits = limits;
    const shared = { cap: MAX_BUCKETS, caps, clock };
    this.#perKey = new RateLimiter({
      name: 'http.rate_keys',
      perSecond: limits.requestsPerSecondPerKey,
      burst: limits.requestBurstPerKey,
      ...shared,
    });
    this.#refusals = new RateLimiter({
      name: 'http.rate_refusals',
      perSecond: limits.refusalsPerSecond,
      burst: limits.refusalBurst,
      ...shared,
    });
  }

  /** The hook of a guard on the public listener; undefined where there is nothing left to check. */
  hook(guard: Guard): Hook | undefined {
    if (guard === 'mcp') return this.#mcp;
    return guard === 'admin' ? this.#admin : undefined;
  }

  /** The hook of the local socket: who can open it is the operator (DESIGN 8). */
  readonly local: Hook = (request, _reply, done) => {
    request.principal = LOCAL_OPERATOR;
    done();
  };

  readonly #mcp: Hook = (request, reply, done) => {
    const who = authenticateForMcp(this.#authenticator, request.raw.headers.authorization);
    if (!this.#admit(request, reply, who)) return;
    if (Number(request.raw.headers['content-length']) > this.#limits.bodyBytes) {
      const message = `The request body is larger than ${this.#limits.bodyBytes} bytes; send less, or raise limits.bodyBytes.`;
      this.#refuser.send(request, reply, { code: 'body_too_large', message });
      return;
    }
    done();
  };

  readonly #admin: Hook = (request, reply, done) => {
    const who = authenticateForAdmin(this.#authenticator, request.raw.headers.authorization);
    if (this.#admit(request, reply, who)) done();
  };

  authenticateForMcp(authorization: string | undefined): Authentication {
    return authenticateForMcp(this.#authenticator, authorization);
  }

  /** Counts a request that came together with others: milliseconds to wait, 0 for none. */
  admit(principal: Principal): number {
    return this.#perKey.take(principal.id);
  }

  /** The mcp guard for the fast lane: who sent the request, which counts against his rate; undefined if anything is wrong. */
  passes(authorization: string | undefined): Principal | undefined {
    const who = authenticateForMcp(this.#authenticator, authorization);
    return who.ok && this.#perKey.take(who.principal.id) === 0 ? who.principal : undefined;
  }

  /** The mcp guard for a connection on the public listener that asks to be upgraded. */
  admitUpgrade(address: string, authorization: string | undefined): Admission {
    const authenticate = (): Authentication => authenticateForMcp(this.#authenticator, authorization);
    const who = authenticate();
    if (!who.ok) return { ok: false, refusal: this.#refusalOf(who, address) };
    const { principal } = who;
    const refusal = this.#tooMany(principal);
    if (refusal !== undefined) return { ok: false, refusal };
    return { ok: true, principal, authenticate, admit: () => this.admit(principal) };
  }

  #admit(request: FastifyRequest, reply: FastifyReply, who: Authentication): boolean {
    if (who.ok) request.principal = who.principal;
    const refusal = who.ok ? this.#tooMany(who.principal) : this.#refusalOf(who, request.clientAddress);
    if (refusal !== undefined) this.#refuser.send(request, reply, refusal);
    return refusal === undefined;
  }

  #tooMany(principal: Principal): RefusalFacts | undefined {
    const waitMs = this.#perKey.take(principal.id);
    if (waitMs === 0) return undefined;
    return limited(waitMs, `This key sends more than ${this.#limits.requestsPerSecondPerKey} requests a second: slow down.`);
  }

  /** Refused credentials are limited per address, so that guessing floods neither us nor the log; valid keys are not held up. */
  #refusalOf(refusal: Refusal, address: string): RefusalFacts {
    const waitMs = this.#refusals.take(rateKey(address));
    if (waitMs > 0) return limited(waitMs, 'Too many requests without a valid key came from this address: fix the key, then try again.');
    const { code, message, status } = refusal;
    return { code, message, status, headers: { 'www-authenticate': challenge(refusal) } };
  }
}
