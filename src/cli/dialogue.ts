type Id = string | number;

interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: { readonly requestId?: unknown; readonly uri?: unknown } | null;
  readonly error?: unknown;
}

/** A request of the host that waits for its answer. `told` names what it leaves behind in its session. */
interface Open {
  readonly method: string;
  readonly told: string | undefined;
}

interface Told {
  readonly line: Buffer;
  readonly id: Id | undefined;
}

/** The gateway's own code for a server that could not answer: JSON-RPC and MCP have none. */
const LOST = 5020;
const MAX_TOLD = 1000;
/** Requests that change nothing: to send them again is safe. */
const REPEATABLE =
  /^(ping|server\/discover|subscriptions\/listen|completion\/complete|logging\/setLevel|(tools|prompts|resources|resources\/templates)\/list|resources\/(read|subscribe|unsubscribe)|prompts\/get|tasks\/(get|list|result))$/;
/** How gateways begin what has an id: long answers need not be read to be recognized. */
const HEAD = /^\{"jsonrpc":"2\.0","id":("(?:[^"\\]|\\.)*"|-?\d+),"(result|error|method)":/;
const HEAD_BYTES = 512;
const NOTIFICATION = '{"jsonrpc":"2.0","method":"';
const CANCELED = `${NOTIFICATION}notifications/cancelled"`;

const isId = (value: unknown): value is Id => typeof value === 'string' || typeof value === 'number';

/** The messages of one line; none if it is not JSON. */
function messagesOf(line: Buffer): Message[] {
  try {
    const value: unknown = JSON.parse(line.toString('utf8'));
    return [value].flat().filter((each): each is Message => typeof each === 'object' && each !== null);
  } catch {
    return [];
  }
}

function shortlyOf(line: Buffer): Message[] {
  const text = line.toString('utf8', 0, HEAD_BYTES);
  const [, id, member] = HEAD.exec(text) ?? [];
  if (id === undefined) return text.startsWith(NOTIFICATION) && !text.startsWith(CANCELED) ? [] : messagesOf(line);
  return [{ id: JSON.parse(id) as Id, ...(member === 'method' ? { method: '' } : member === 'error' ? { error: true } : {}) }];
}

function errorLine(id: Id, { method }: Open): string {
  const repeatable = REPEATABLE.test(method);
  const advice = repeatable ? 'Send the request again.' : 'Its outcome is unknown: find out before you send it again.';
  const message = `The gateway went away before it answered. ${advice}`;
  const data = { code: repeatable ? 'upstream_unavailable' : 'outcome_unknown', executed: 'unknown', retryable: repeatable };
  return `${JSON.stringify({ jsonrpc: '2.0', id, error: { code: LOST, message, data } })}\n`;
}

const cancelLine = (requestId: Id): string =>
  `${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId, reason: 'The gateway went away.' } })}\n`;

/** What a host and its gateway said to each other, as far as it matters when the gateway goes and another one takes its place. */
export class Dialogue {
  readonly #open = new Map<Id, Open>();
  /** Requests of the gateway. */
  readonly #asked = new Set<Id>();
  /** What makes up the session of a legacy host, by name, in the order in which it was said. */
  readonly #told = new Map<string, Told>();
  /** Requests that we repeat: the host had its answers before. */
  readonly #repeated = new Set<Id>();

  /** One line of the host. */
  said(line: Buffer): void {
    for (const { id, method, params } of messagesOf(line)) {
      if (typeof method !== 'string') {
        if (isId(id)) this.#asked.delete(id);
      } else if (isId(id)) {
        this.#open.set(id, { method, told: this.#keep(method, params?.uri, { line, id }) });
      } else if (method === 'notifications/cancelled') {
        if (isId(params?.requestId)) this.#open.delete(params.requestId);
      } else if (method === 'notifications/initialized') this.#told.set(method, { line, id: undefined });
    }
  }

  /** One line of the gateway. False if it is not for the host. */
  heard(line: Buffer): boolean {
    for (const { id, method, params, error } of shortlyOf(line)) {
      if (method === 'notifications/cancelled') {
        if (isId(params?.requestId)) this.#asked.delete(params.requestId);
      } else if (!isId(id)) continue;
      else if (method !== undefined) this.#asked.add(id);
      else if (this.#repeated.delete(id)) return false;
      else this.#answered(id, error !== undefined);
    }
    return true;
  }

  /** The gateway is gone: what the host has to be told. Only `initialize` stays open, as the next gateway answers it. */
  lost(): string[] {
    const lines = [...this.#asked].map(cancelLine);
    for (const [id, open] of this.#open) {
      if (open.told === 'initialize') continue;
      lines.push(errorLine(id, open));
      this.#answered(id, true);
    }
    this.#asked.clear();
    this.#repeated.clear();
    return lines;
  }

  /** What the next gateway has to be told before anything else. */
  repeat(): Buffer[] {
    const told = [...this.#told.values()];
    for (const { id } of told) if (id !== undefined && !this.#open.has(id)) this.#repeated.add(id);
    return told.map(({ line }) => line);
  }

  #answered(id: Id, failed: boolean): void {
    const open = this.#open.get(id);
    this.#open.delete(id);
    if (failed && open?.told !== undefined) this.#told.delete(open.told);
  }

  /** Remembers what another gateway would have to know; returns its name. */
  #keep(method: string, uri: unknown, told: Told): string | undefined {
    if (method === 'resources/unsubscribe') this.#told.delete(`resource ${String(uri)}`);
    const name = method === 'resources/subscribe' ? `resource ${String(uri)}` : method;
    if (method !== 'initialize' && method !== 'logging/setLevel' && method !== 'resources/subscribe') return undefined;
    const second = method === 'initialize' && this.#told.has(name);
    if (second || (this.#told.size >= MAX_TOLD && !this.#told.has(name))) return undefined;
    this.#told.set(name, told);
    return name;
  }
}
