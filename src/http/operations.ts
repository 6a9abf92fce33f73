import { timingSafeEqual } from 'node:crypto';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { isLoopback, plainAddress } from '../security/index.ts';
import { AppError } from '../shared/index.ts';
import type { HttpHostOptions } from './options.ts';

const BEARER = /^bearer +(\S+) *$/i;
const PROMETHEUS = 'text/plain; version=0.0.4; charset=utf-8';

function holdsToken(authorization: string | undefined, token: string | undefined): boolean {
  const given = authorization === undefined ? undefined : BEARER.exec(authorization)?.[1];
  if (given === undefined || token === undefined) return false;
  const [a, b] = [Buffer.from(given), Buffer.from(token)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** A request from this machine that no proxy passed on: a proxy beside us would make the whole world look local. */
function isDirectLocal(request: FastifyRequest): boolean {
  const { headers, socket } = request.raw;
  if (headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined) return false;
  return isLoopback(plainAddress(socket.remoteAddress ?? ''));
}

/** `/healthz`, `/readyz` and `/metrics`. `local` is the 0600 socket, where all are open. */
export function operations(app: FastifyInstance, options: HttpHostOptions, local: boolean): void {
  const { ready, metrics, metricsToken } = options;
  app.get('/healthz', () => ({ status: 'alive' }));
  app.get('/readyz', async (_request, reply) => {
    const readiness = (await ready?.()) ?? { ok: true, checks: [] };
    return reply
      .code(readiness.ok ? 200 : 503)
      .header('cache-control', 'no-store')
      .send(readiness);
  });
  app.get('/metrics', async (request, reply) => {
    if (!local && !isDirectLocal(request) && !holdsToken(request.raw.headers.authorization, metricsToken))
      throw new AppError(
        'metrics_forbidden',
        'Metrics are open to this machine only. For others set metrics.token in the configuration and send it as "Authorization: Bearer <token>".',
      );
    return reply.header('content-type', PROMETHEUS).send((await metrics?.()) ?? '');
  });
}
