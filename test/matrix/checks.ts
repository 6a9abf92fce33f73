import { expect } from 'vitest';
import { patternText } from '../fixtures/upstreams/index.ts';
import type { MatrixClient } from '../support/matrix-port.ts';
import { until } from '../support/until.ts';
import type { Board } from './board.ts';

/** What a check has to do with: its client, its server, and a word that no other cell uses. */
export interface CellScope {
  readonly client: MatrixClient;
  readonly server: string;
  readonly board: Board;
  readonly key: string;
}

/** What every client of the matrix declares. */
export const OFFERS = { elicitation: { form: {}, url: {} }, sampling: {}, roots: { listChanged: true } };

/** Longer than anything takes when all is well. */
const PATIENCE_MS = 10_000;
/** How soon a client hears that the tools changed. */
const LIST_CHANGED_MS = 2_000;
/** How long a client tries to follow a resource. */
const FOLLOW_MS = 5_000;
const BIG = 10 * 1024 * 1024;

export const FORM = { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] };

/** Calls the tool that asks its client; the client's answer as the tool got it. */
async function askedFor({ client }: CellScope, method: string, params: object): Promise<unknown> {
  const before = client.asked.length;
  const answer = await client.call('ask_client', { method, params });
  expect(answer).toMatchObject({ isError: false });
  expect(client.asked.slice(before)).toEqual([method]);
  return JSON.parse(answer.text) as unknown;
}

async function call({ client, key }: CellScope): Promise<void> {
  expect(await client.call('echo', { text: key })).toMatchObject({ isError: false, text: key });
  expect(await client.call('add', { a: 2, b: 3 })).toMatchObject({ isError: false, structured: { sum: 5 } });
}

async function error({ client }: CellScope): Promise<void> {
  expect(await client.call('fail', {})).toMatchObject({ isError: true, text: 'it failed' });
  const refused = await client.call('rpc_error', { code: 4242 }).then(
    () => undefined,
    (problem: unknown) => problem,
  );
  expect(refused).toMatchObject({ code: 4242, message: expect.stringContaining('as you wished') as string });
}

/** Each step is taken only when the one before was seen: progress that is held back until the end never ends. */
async function progress({ client, server, board, key }: CellScope): Promise<void> {
  const seen: number[] = [];
  const onProgress = (value: number): void => {
    seen.push(value);
    board.tell(server, { go: key });
  };
  const answer = await client.call('step', { steps: 5, key }, { onProgress });
  expect(answer.text).toBe('done');
  expect(seen).toEqual([1, 2, 3, 4, 5]);
}

async function cancel({ client, server, board, key }: CellScope): Promise<void> {
  const stop = new AbortController();
  const ended = client.call('hang_marked', { key }, { signal: stop.signal }).then(
    () => 'answered',
    () => 'cancelled',
  );
  await board.hear(server, 'running', key, PATIENCE_MS);
  stop.abort();
  expect(await ended).toBe('cancelled');
  await board.hear(server, 'cancelled', key, PATIENCE_MS);
}

async function elicit(scope: CellScope): Promise<void> {
  const answer = await askedFor(scope, 'elicitation/create', { message: scope.key, requestedSchema: FORM });
  expect(answer).toMatchObject({ action: 'accept', content: { name: `answer to ${scope.key}` } });
}

async function sample(scope: CellScope): Promise<void> {
  const messages = [{ role: 'user', content: { type: 'text', text: scope.key } }];
  const answer = await askedFor(scope, 'sampling/createMessage', { messages, maxTokens: 10 });
  expect(answer).toMatchObject({ model: 'judge', role: 'assistant', content: { type: 'text', text: `sampled ${scope.key}` } });
}

async function roots(scope: CellScope): Promise<void> {
  expect(await askedFor(scope, 'roots/list', {})).toMatchObject({ roots: [{ uri: 'file:///judge/root', name: 'judge root' }] });
}

/** A server that is slow to agree is left out of an acknowledgement (PROTOCOL C8): then the client asks again, as it has to. */
async function follow(client: MatrixClient, uri: string): Promise<void> {
  let refused: unknown;
  const agreed = async (): Promise<boolean> => {
    refused = await client.follow([uri]).then(
      () => undefined,
      (problem: unknown) => problem,
    );
    return refused === undefined;
  };
  await until(`${uri} is followed`, agreed, FOLLOW_MS).catch(() => {
    throw refused instanceof Error ? refused : new Error(String(refused));
  });
}

async function subscribe({ client, server, board, key }: CellScope): Promise<void> {
  const uri = `fixture:///watched/${key}`;
  await follow(client, uri);
  board.tell(server, { touch: `${uri}/not` });
  board.tell(server, { touch: uri });
  await until(`${uri} is updated`, () => client.updated.includes(uri), PATIENCE_MS);
  expect(client.updated.filter((each) => each.startsWith(uri))).toEqual([uri]);
}

async function listChanged({ client, server, board, key }: CellScope): Promise<void> {
  await client.follow([]);
  await client.toolNames();
  const added = `added_${key}`;
  let heard = client.listChanges;
  board.tell(server, { add: added });
  const end = Date.now() + LIST_CHANGED_MS;
  // Other cells change the same list: only a list that was read after a notification counts.
  await until(
    `a notification, and then ${added} in the list`,
    async () => {
      if (client.listChanges === heard) return false;
      heard = client.listChanges;
      return (await client.toolNames()).includes(added);
    },
    end - Date.now(),
  );
}

async function complete({ client }: CellScope): Promise<void> {
  expect(await client.complete('greet', 'name', 'al')).toEqual(['Alan']);
  expect(await client.complete('greet', 'name', 'a')).toEqual(['Ada', 'Alan']);
}

async function log({ client, key }: CellScope): Promise<void> {
  await client.wantLogs('info');
  await client.call('say', { level: 'debug', data: { quiet: key } });
  await client.call('say', { level: 'warning', data: { key } });
  await until(`the log message of ${key}`, () => client.logs.length > 0, PATIENCE_MS);
  expect(client.logs).toEqual([{ level: 'warning', data: { key } }]);
}

async function big({ client, key }: CellScope): Promise<void> {
  const { text, isError } = await client.call('pattern', { length: BIG, seed: key });
  expect(isError).toBe(false);
  // Not toBe: nobody wants to read the difference.
  expect([text.length, text === patternText(BIG, key)]).toEqual([BIG, true]);
}

/** The rows of each client's table, in the order in which they run. */
export const CHECKS = {
  call,
  error,
  progress,
  cancel,
  elicit,
  sample,
  roots,
  subscribe,
  list_changed: listChanged,
  complete,
  log,
  '10 MB result': big,
} satisfies Readonly<Record<string, (scope: CellScope) => Promise<void>>>;

export type Check = keyof typeof CHECKS;
export const CHECK_NAMES = Object.keys(CHECKS) as readonly Check[];
