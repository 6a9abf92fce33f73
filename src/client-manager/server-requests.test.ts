import { describe, expect, it } from 'vitest';
import { decodeMessage, type AskAnswer, type NotificationMessage, type RequestMessage } from '../protocol/index.ts';
import type { OwnEvent } from './events.ts';
import { answerOutsideCalls, ServerRequests } from './server-requests.ts';

/** Requests of legacy servers (PROTOCOL A2; S25 cancellation and ping). */

function made(): { requests: ServerRequests; said: Record<string, unknown>[]; events: OwnEvent[] } {
  const said: Record<string, unknown>[] = [];
  const events: OwnEvent[] = [];
  const requests = new ServerRequests({
    say: (text) => said.push(JSON.parse(text) as Record<string, unknown>),
    emit: (event) => events.push(event),
    roots: [{ uri: 'file:///a' }],
  });
  return { requests, said, events };
}

const request = (id: string | number, method = 'elicitation/create'): RequestMessage =>
  decodeMessage(JSON.stringify({ jsonrpc: '2.0', id, method })) as RequestMessage;
const cancelled = (requestId: unknown): NotificationMessage['params'] =>
  (decodeMessage(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId } })) as NotificationMessage)
    .params;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A listener whose answers the test gives. */
function patient(requests: ServerRequests): { answers: ((answer: AskAnswer) => void)[]; signals: AbortSignal[] } {
  const answers: ((answer: AskAnswer) => void)[] = [];
  const signals: AbortSignal[] = [];
  requests.listener = {
    onRequest: (_message, _exchange, signal) => {
      signals.push(signal);
      return new Promise((resolve) => answers.push(resolve));
    },
    onNotification: () => undefined,
  };
  return { answers, signals };
}

const YES: AskAnswer = { result: { text: '{"action":"accept"}', value: {} } };

describe('ServerRequests', () => {
  it('answers ping at once, everything else through the listener, under the id as it came', async () => {
    const { requests, said } = made();
    const { answers } = patient(requests);
    requests.take(request('p', 'ping'), undefined);
    expect(said).toEqual([{ jsonrpc: '2.0', id: 'p', result: {} }]);
    requests.take(request(7), undefined);
    requests.take(request('7'), undefined);
    expect(requests.size).toBe(2);
    answers[1]?.(YES);
    await turn();
    expect(said.at(-1)).toEqual({ jsonrpc: '2.0', id: '7', result: { action: 'accept' } });
    expect(requests.size).toBe(1);
  });

  it('refuses more than 100 at once, and takes more when there is room again', async () => {
    const { requests, said } = made();
    const { answers } = patient(requests);
    for (let id = 0; id < 150; id++) requests.take(request(id), undefined);
    expect(answers).toHaveLength(100);
    expect(said.map(({ id, error }) => [id, (error as { code: number }).code])).toEqual(
      Array.from({ length: 50 }, (_none, i) => [100 + i, -32603]),
    );
    for (const answer of answers) answer(YES);
    await turn();
    expect(requests.size).toBe(0);
    requests.take(request(0), undefined);
    expect(answers).toHaveLength(101);
  });

  it('takes a request once that is delivered twice', () => {
    const { requests } = made();
    const { answers } = patient(requests);
    requests.take(request(1), undefined);
    requests.take(request(1), undefined);
    expect(answers).toHaveLength(1);
  });

  it('aborts and does not answer what the server cancels or what is open at the end', async () => {
    const { requests, said } = made();
    const { answers, signals } = patient(requests);
    for (const id of [1, 2, 3]) requests.take(request(id), undefined);
    for (const id of [1, '2', null, {}]) requests.cancel(cancelled(id));
    requests.cancel(undefined);
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false, false]);
    requests.end('over');
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    for (const answer of answers) answer(YES);
    requests.take(request(4), undefined);
    requests.take(request(5, 'ping'), undefined);
    await turn();
    expect(said).toEqual([]);
    expect(requests.size).toBe(0);
  });

  it('a listener that throws is an error to the server, none to us', async () => {
    const { requests, said } = made();
    requests.listener = { onRequest: () => Promise.reject(new Error('oops')), onNotification: () => undefined };
    requests.take(request(1), undefined);
    requests.listener = {
      onRequest: () => {
        throw new Error('oops');
      },
      onNotification: () => undefined,
    };
    requests.take(request(2), undefined);
    await turn();
    expect(said.map(({ error }) => (error as { code: number }).code)).toEqual([-32603, -32603]);
  });

  it('tells of what it refuses once per method, and of no more than some', async () => {
    const { requests, events } = made();
    for (let i = 0; i < 100; i++) requests.take(request(i, `method/${i % 30}`), undefined);
    await turn();
    expect(events).toHaveLength(20);
  });
});

describe('outside a call', () => {
  it('roots are the configured ones, asks were not offered, the rest is not known', () => {
    expect(answerOutsideCalls(request(1, 'roots/list'), [{ uri: 'file:///a', name: 'a' }])).toMatchObject({
      result: { text: '{"roots":[{"uri":"file:///a","name":"a"}]}' },
    });
    for (const method of ['elicitation/create', 'sampling/createMessage'])
      expect(answerOutsideCalls(request(1, method))).toMatchObject({ error: { code: -32602 } });
    expect(answerOutsideCalls(request(1, 'x'))).toMatchObject({ error: { code: -32601 } });
  });
});
