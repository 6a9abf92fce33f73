import { readFileSync } from 'node:fs';
import type { IncomingMessage, Server } from 'node:http';
import { createSecureContext } from 'node:tls';
import { fastify, type FastifyInstance, type FastifyRequest } from 'fastify';
import type { Authentication, Principal } from '../security/index.ts';
import { AppError, messageOf } from '../shared/index.ts';
import { clientErrorHandler } from './client-errors.ts';
import { answerError, installErrorMapper } from './errors.ts';
import { authenticateForMcp } from './guards.ts';
import { installNotFound } from './not-found.ts';
import type { HttpHostOptions, HttpLimits } from './options.ts';
import type { Refuser } from './refusal.ts';

const MAX_PARAM = 512;
const MIN_CHECK_MS = 50;

function pem(value: string, setting: string): string {
  if (value.includes('-----BEGIN ')) return value;
  try {
    return readFileSync(value, 'utf8');
  } catch (error) {
    throw new AppError('tls_unusable', `${setting} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

function tlsOptions(tls: { cert: string; key: string }): { cert: string; key: string; minVersion: 'TLSv1.2' } {
  const options = { cert: pem(tls.cert, 'TLS_CERT'), key: pem(tls.key, 'TLS_KEY'), minVersion: 'TLSv1.2' as const };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new AppError('tls_unusable', 'TLS_CERT and TLS_KEY are no certificate and key that belong together (PEM is expected).', {
      cause: error,
    });
  }
  return options;
}

/** Node's own deadlines and caps: a peer that sends slowly, or too much, is answered and disconnected. */
function serverOptions(limits: HttpLimits, local: boolean) {
  return {
    // Programs that offer to speak HTTP/2 (`Upgrade: h2c`) are served in HTTP/1.1; without this their requests would go unanswered.
    ...(local ? {} : { shouldUpgradeCallback: ({ headers }: IncomingMessage) => headers.upgrade?.toLowerCase() === 'websocket' }),
    maxHeaderSize: limits.headerBytes,
    // The entrance refuses a missing Host itself, in words.
    requireHostHeader: false,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: Math.max(MIN_CHECK_MS, Math.min(1000, Math.floor(limits.headersMs / 4))),
  };
}

/** One Fastify instance as every listener of ours is made: no logger, our own errors and refusals, no body read before it is wanted. */
export function createListener(options: HttpHostOptions, limits: HttpLimits, refuser: Refuser, local: boolean): FastifyInstance {
  const common = {
    bodyLimit: limits.bodyBytes,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    forceCloseConnections: false,
    // What still arrives on an open connection while we close is served, with Connection: close.
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM, ignoreTrailingSlash: true },
    clientErrorHandler: clientErrorHandler(options.onEvent),
    frameworkErrors: answerError,
  };
  const node = serverOptions(limits, local);
  const app: FastifyInstance =
    options.tls === undefined || local
      ? fastify({ ...common, http: node })
      : (fastify({ ...common, https: { ...node, ...tlsOptions(options.tls) } }) as unknown as FastifyInstance);
  // A slot of the right shape; the first hook of each listener fills it.
  app.decorateRequest<Principal | null>('principal', null);
  app.decorateRequest('clientAddress', '');
  app.decorateRequest('authenticate', function authenticate(this: FastifyRequest): Authentication {
    return authenticateForMcp(options.authenticator, this.raw.headers.authorization);
  });
  installErrorMapper(app, options.onEvent);
  installNotFound(app, refuser);
  return app;
}

/** The Node server under an instance; TLS or not makes no difference to what we do with it. */
export function nodeServer(app: FastifyInstance): Server {
  return app.server;
}
