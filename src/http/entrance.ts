import type { Socket } from 'node:net';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { FastifyReply, FastifyRequest, HookHandlerDoneFunction } from 'fastify';
import {
  ANONYMOUS,
  allowedHost,
  allowedOrigin,
  clientAddress,
  nameRules,
  proxyList,
  type NameRules,
  type ProxyList,
} from '../security/index.ts';
import { Bounded } from '../shared/index.ts';
import { answerPreflight, share } from './cors.ts';
import type { HttpHostOptions } from './options.ts';
import type { RefusalFacts, Refuser } from './refusal.ts';

const MAX_VERDICTS = 1024;
/** Longer names are judged anew each time, so that strangers cannot fill the memory with them. */
const MAX_REMEMBERED = 256;
const MAX_HEADER_SHOWN = 100;
/** Load balancers and orchestrators ask these by address; they tell nothing about the installation's data. */
const PROBES: ReadonlySet<string> = new Set(['/healthz', '/readyz']);

const shown = (value: string): string => JSON.stringify(value.slice(0, MAX_HEADER_SHOWN).replace(/[^\x20-\x7e]/g, '?'));

/** Where every public request comes in: client address, then Host and Origin. Verdicts are remembered, so that the usual request costs two look-ups. */
export class Entrance {
  readonly #proxies: ProxyList;
  readonly #rules: NameRules;
  readonly #hosts: Bounded<string, boolean>;
  readonly #origins: Bounded<string, boolean>;
  readonly #refuser: Refuser;
  /** Asking a socket for its address costs more than all the other checks together, and it never changes. */
  readonly #addresses = new WeakMap<Socket, string>();

  constructor(options: HttpHostOptions, refuser: Refuser) {
    this.#proxies = proxyList(options.trustedProxies);
    this.#rules = nameRules({ ...options, bind: options.host });
    const cache = { cap: MAX_VERDICTS, caps: options.caps, full: 'evict' } as const;
    this.#hosts = new Bounded({ name: 'http.host_verdicts', ...cache });
    this.#origins = new Bounded({ name: 'http.origin_verdicts', ...cache });
    this.#refuser = refuser;
  }

  /** An `onRequest` hook. */
  readonly check = (request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void => {
    request.principal = ANONYMOUS;
    request.clientAddress = this.addressOf(request.raw);
    const refusal = this.judge(request.raw, reply.raw);
    if (refusal !== undefined) this.#refuser.send(request, reply, refusal);
    else if (answerPreflight(request.raw, reply.raw)) reply.hijack();
    else done();
  };

  /** Host and Origin of a request; undefined if they are fine. A page of a listed origin may then read the response. */
  judge(request: IncomingMessage, response?: ServerResponse): RefusalFacts | undefined {
    const { host, origin } = request.headers;
    if (!this.knowsHost(host) && !mayOmitName(request)) return foreignHost(host);
    if (origin === undefined) return undefined;
    if (!this.#knowsOrigin(origin)) return foreignOrigin(origin);
    if (response !== undefined && this.#rules.origins.has(origin.toLowerCase())) share(origin, request, response);
    return undefined;
  }

  /** The client's address as this server determines it. */
  addressOf({ socket, headers }: IncomingMessage): string {
    const forwardedFor = headers['x-forwarded-for'] as string | undefined;
    if (forwardedFor !== undefined) return clientAddress(socket.remoteAddress, forwardedFor, this.#proxies);
    let address = this.#addresses.get(socket);
    if (address === undefined) {
      address = clientAddress(socket.remoteAddress, undefined, this.#proxies);
      this.#addresses.set(socket, address);
    }
    return address;
  }

  knowsHost(host: string | undefined): boolean {
    const key = host ?? '';
    const known = this.#hosts.peek(key);
    if (known !== undefined) return known;
    const verdict = allowedHost(host, this.#rules);
    if (key.length <= MAX_REMEMBERED) this.#hosts.set(key, verdict, 0);
    return verdict;
  }

  #knowsOrigin(origin: string): boolean {
    const known = this.#origins.peek(origin);
    if (known !== undefined) return known;
    const verdict = allowedOrigin(origin, this.#rules);
    if (origin.length <= MAX_REMEMBERED) this.#origins.set(origin, verdict, 0);
    return verdict;
  }
}

/** A probe by address. HTTP/1.1 demands some Host of it too (RFC 9112 section 3.2). */
function mayOmitName({ url = '', headers, httpVersion }: IncomingMessage): boolean {
  return PROBES.has(url) && (headers.host !== undefined || httpVersion === '1.0');
}

function foreignHost(host: string | undefined): RefusalFacts {
  if (host === undefined) return { code: 'malformed_http', message: 'The request has no Host header: send the name of this server.' };
  return {
    code: 'host_not_allowed',
    message: `The Host ${shown(host)} is not a name of this server. If clients shall use it, add it to server.allowedHosts in the configuration, or set STOCKPULSE_PUBLIC_URL.`,
  };
}

function foreignOrigin(origin: string): RefusalFacts {
  return {
    code: 'origin_not_allowed',
    message: `Pages of the Origin ${shown(origin)} may not call this server. If they shall, add it to server.allowedOrigins in the configuration.`,
  };
}
