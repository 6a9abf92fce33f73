import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { APPROVER_HEADER, type AdminRoute, type BodyOf, type ParamsOf, type QueryOf, type ReplyOf } from '../contract/index.ts';
import type { ApiKeys, AuditTrail, KeyActor } from '../security/index.ts';
import { AppError } from '../shared/index.ts';
import { parse } from './parse.ts';

/** What every verb gets: its parsed input, who asks, and a signal that ends with the caller's connection or the deadline. */
export interface Verb<R extends AdminRoute> {
  readonly params: ParamsOf<R>;
  readonly query: QueryOf<R>;
  readonly body: BodyOf<R>;
  readonly actor: KeyActor;
  readonly signal: AbortSignal;
}

type Handler<R extends AdminRoute> = (verb: Verb<R>) => Promise<ReplyOf<R>>;

/** What a verb without a transaction of its own leaves in the audit trail. */
export interface AuditFacts {
  readonly action: string;
  readonly subject: string;
  readonly detail?: Readonly<Record<string, unknown>>;
}

/** Longest that a caller waits for one verb. */
const VERB_MS = 300_000;

function signalOf(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort(new AppError('canceled', 'The caller went away.')));
  return AbortSignal.any([gone.signal, AbortSignal.timeout(VERB_MS)]);
}

/** Puts the routes of the contract onto Fastify: parse, act, answer. One instance per plugin. */
export class Mount {
  readonly #app: FastifyInstance;
  readonly #apiKeys: ApiKeys;
  readonly #audit: AuditTrail;

  constructor(app: FastifyInstance, options: { apiKeys: ApiKeys; audit: AuditTrail }) {
    this.#app = app;
    this.#apiKeys = options.apiKeys;
    this.#audit = options.audit;
  }

  /** A verb that changes nothing, or writes its audit row in its own transaction. */
  verb<R extends AdminRoute>(route: R, handler: Handler<R>): void {
    this.#app.route({
      method: route.method,
      url: route.path,
      handler: async (request, reply) => {
        const answer = await handler(this.#read(route, request, reply));
        return reply.code(route.status).header('cache-control', 'no-store').send(answer);
      },
    });
  }

  /** A verb whose audit row is written before it acts: if it cannot be written, the verb does not happen. */
  audited<R extends AdminRoute>(route: R, facts: (verb: Verb<R>) => AuditFacts, handler: Handler<R>): void {
    this.verb(route, async (verb) => {
      const { action, subject, detail } = facts(verb);
      await this.#audit.record({ actor: verb.actor.principal.id, action, subject, detail: detail ?? {} });
      return handler(verb);
    });
  }

  #read<R extends AdminRoute>(route: R, request: FastifyRequest, reply: FastifyReply): Verb<R> {
    return {
      params: parse(route.params, 'path', request.params) as ParamsOf<R>,
      query: parse(route.query, 'query', request.query) as QueryOf<R>,
      body: parse(route.body, 'body', request.body) as BodyOf<R>,
      actor: this.#actor(request),
      signal: signalOf(reply),
    };
  }

  #actor(request: FastifyRequest): KeyActor {
    const header = request.headers[APPROVER_HEADER];
    if (header === undefined) return { principal: request.principal };
    const who = this.#apiKeys.authenticate(`Bearer ${String(header)}`);
    if (!who.ok) throw new AppError('approver_refused', `The approver key was refused. ${who.message}`);
    if (!who.principal.scopes.has('approve'))
      throw new AppError('approver_refused', 'The key given as approver key does not have the scope approve: use an approver key.');
    return { principal: request.principal, approver: who.principal };
  }
}
