import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { type ApiIdentity, ApiError, type ApiRoute, createStockPulse, type HandlerInput, type StockPulse } from './index.ts';
import type { Envelope } from './envelope.ts';

export const CALLER: ApiIdentity = { ok: true, id: 'tester', scopes: new Set(['market:read']) };

/** A clock that stands still until it is set. */
export class FrozenClock {
  time: number;

  constructor(time: string) {
    this.time = Date.parse(time);
  }

  now(): number {
    return this.time;
  }

  set(time: string): void {
    this.time = Date.parse(time);
  }
}

/** A platform on a frozen clock whose inputs and answers are all checked against the schemas of their routes. */
export class Kit {
  readonly clock: FrozenClock;
  readonly stockpulse: StockPulse;
  readonly #validators = new Map<object, ValidateFunction>();
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true });

  constructor(time: string, seed = 1) {
    this.clock = new FrozenClock(time);
    this.stockpulse = createStockPulse({ clock: this.clock, seed, authenticate: () => CALLER });
  }

  route(operationId: string): ApiRoute {
    const route = this.stockpulse.routes.find((candidate) => candidate.operationId === operationId);
    if (!route) throw new Error(`no route ${operationId}`);
    return route;
  }

  /** Calls a route the way a tool does: by argument names alone. */
  call(operationId: string, args: Readonly<Record<string, unknown>> = {}): Envelope {
    const route = this.route(operationId);
    const answer = route.handle(this.#inputOf(route, args), { identity: CALLER }) as Envelope;
    this.#check(route.response, JSON.parse(JSON.stringify(answer)), `${operationId} answered`);
    return answer;
  }

  /** The ApiError that a call ends in. */
  refusal(operationId: string, args: Readonly<Record<string, unknown>>): ApiError {
    try {
      this.call(operationId, args);
    } catch (error) {
      if (error instanceof ApiError) return error;
      throw error;
    }
    throw new Error(`${operationId} was not refused`);
  }

  #inputOf(route: ApiRoute, args: Readonly<Record<string, unknown>>): HandlerInput {
    const input: HandlerInput = { params: {}, query: {}, body: {} };
    const left = new Set(Object.keys(args));
    for (const part of ['params', 'query', 'body'] as const) {
      const schema = route[part];
      if (!schema) continue;
      for (const name of Object.keys(schema.properties).filter((candidate) => left.delete(candidate))) input[part][name] = args[name];
      this.#check(schema, input[part], `${route.operationId} was asked`);
    }
    if (left.size > 0) throw new Error(`${route.operationId} has no ${[...left].join(', ')}`);
    return input;
  }

  #check(schema: object, value: unknown, what: string): void {
    const validate = this.#validators.get(schema) ?? this.#ajv.compile(schema);
    this.#validators.set(schema, validate);
    if (!validate(value)) throw new Error(`${what} against its schema: ${JSON.stringify(validate.errors)}`);
  }
}
