import { afterEach, describe, expect, it } from 'vitest';
import { jsonText, type AskAnswer, type CallContext, type Outcome } from '../../protocol/index.ts';
import {
  answerOf,
  callEcho,
  changeTools,
  eventually,
  initialize,
  LegacyClient,
  notification,
  rpc,
  send,
  serverOf,
  start,
  type FaceOptions,
  type Running,
} from './testing.ts';

const ok: Outcome = { kind: 'complete', result: jsonText({ content: [] }) };
const progress = (value: number) =>
  ({ kind: 'notification', method: 'notifications/progress', params: jsonText({ progressToken: 1, progress: value }) }) as const;
const withToken = (token: string) => ({ _meta: { progressToken: token } });

let running: Running | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

/** A server whose calls wait until the test ends them. */
class Held {
  readonly contexts: CallContext[] = [];
  readonly #ends: ((outcome: Outcome) => void)[] = [];

  readonly handle = (_call: unknown, context: CallContext): Promise<Outcome> => {
    this.contexts.push(context);
    return new Promise((resolve) => this.#ends.push(resolve));
  };

  async context(index = 0): Promise<CallContext> {
    return eventually(() => this.contexts[index]);
  }

  end(index = 0, outcome: Outcome = ok): void {
    this.#ends[index]?.(outcome);
  }
}

async function serve(handle: Held['handle'], options: FaceOptions = {}): Promise<Running> {
  running = await start([serverOf(handle)], options);
  return running;
}

const at = (revision: string) => ({ revision });

describe('a POST in a session', () => {
  it('is answered in JSON where nothing comes before, and opens no stream', async () => {
    verifies('s25-answer-type', 's25-endpoint');
    const { port, gauge } = await serve(async () => ok);
    const client = await LegacyClient.open(port);
    const coming = await client.post(callEcho(1));
    expect(coming.headers['content-type']).toBe('application/json');
    expect(await answerOf(coming)).toEqual({ jsonrpc: '2.0', id: 1, result: { content: [] } });
    expect(gauge('event_store_bytes')).toBe(0);
  });

  it.each(['2025-06-18', '2025-11-25'])(
    'becomes a stream with the first notification; primed only from 2025-11-25 on (%s)',
    async (revision) => {
      const { port } = await serve(async (_call, { onEvent }) => {
        onEvent(progress(1));
        return ok;
      });
      const client = await LegacyClient.open(port, at(revision));
      const coming = await client.post(callEcho(1, withToken('p')));
      await coming.ended;
      const primed = /^id: \S+\nretry: \d+\ndata: \n\n/.test(coming.text());
      expect(primed).toBe(revision === '2025-11-25');
      expect(coming.text()).toMatch(/id: \S+\nevent: message\ndata: .*"progressToken":"p"[\s\S]*"result"/);
    },
  );

  it('is answered in the revision that was asked for, the oldest too', async () => {
    const { port } = await serve(async () => ({
      kind: 'complete',
      result: jsonText({ content: [{ type: 'audio', data: 'AA==', mimeType: 'audio/wav' }], structuredContent: { a: 1 } }),
    }));
    for (const revision of ['2024-11-05', '2025-03-26', '2025-06-18', '2025-11-25']) {
      const opened = await send(port, { body: initialize(revision) });
      expect(await answerOf(opened)).toMatchObject({ result: { protocolVersion: revision } });
    }
    const client = await LegacyClient.open(port, at('2024-11-05'));
    const result = (await answerOf(await client.post(callEcho(1)))).result;
    expect(result).toMatchObject({ content: [{ type: 'text' }, { type: 'text', text: '{"a":1}' }] });
    expect(result).not.toHaveProperty('structuredContent');
  });

  it('stays JSON for a client that takes no stream; what would have come before is left out', async () => {
    const { port } = await serve(async (_call, { onEvent, ask }) => {
      onEvent(progress(1));
      const answer = await ask?.({ method: 'roots/list', params: undefined }, new AbortController().signal);
      return { kind: 'complete', result: jsonText({ content: [], structuredContent: { answer } }) };
    });
    const client = await LegacyClient.open(port, { capabilities: { roots: {} } });
    const coming = await client.post(callEcho(1, withToken('p')), { accept: 'application/json' });
    expect(coming.headers['content-type']).toBe('application/json');
    expect(await answerOf(coming)).toMatchObject({ result: { structuredContent: { answer: { error: { code: -32603 } } } } });
  });

  it('becomes a stream when it takes long, and is kept alive', async () => {
    const held = new Held();
    const { port } = await serve(held.handle, { pace: { patienceMs: 20, tickMs: 10 } });
    const client = await LegacyClient.open(port);
    const coming = await client.post(callEcho(1));
    await eventually(() => coming.text().includes(':\n\n'));
    held.end();
    expect(await answerOf(coming)).toMatchObject({ id: 1, result: {} });
    const patient = client.post(callEcho(2), { accept: 'application/json' });
    await held.context(1);
    held.end(1);
    expect((await patient).headers['content-type']).toBe('application/json');
  });

  it('is canceled by notifications/cancelled alone, and gets no response: its POST ends as a stream without one', async () => {
    const held = new Held();
    const { port } = await serve(held.handle);
    const client = await LegacyClient.open(port);
    const coming = client.post(callEcho(7));
    const { signal } = await held.context();
    expect((await client.post(notification('notifications/cancelled', { requestId: '7' }))).status).toBe(202);
    expect(signal.aborted).toBe(false);
    await client.post(notification('notifications/cancelled', { requestId: 7 }));
    await eventually(() => signal.aborted);
    held.end();
    const answer = await coming;
    await answer.ended;
    expect([answer.status, answer.headers['content-type'], answer.text()]).toEqual([200, 'text/event-stream', '']);
  });

  it.each([
    [
      'by a client that takes no stream',
      async (client: LegacyClient) => client.post(notification('notifications/cancelled', { requestId: 7 })),
    ],
    ['with its session', async (client: LegacyClient) => client.delete()],
  ])('is answered with an error where it was canceled %s', async (how, cancel) => {
    const held = new Held();
    const { port } = await serve(held.handle);
    const client = await LegacyClient.open(port);
    const coming = client.post(callEcho(7), how.startsWith('with') ? {} : { accept: 'application/json' });
    const { signal } = await held.context();
    await cancel(client);
    await eventually(() => signal.aborted);
    held.end();
    expect(await answerOf(await coming)).toMatchObject({ id: 7, error: { code: -32603 } });
  });

  it('takes a batch in 2025-03-26, each member its own call', async () => {
    let seen = 0;
    const { port } = await serve(async (_call, { onEvent }) => {
      if (++seen === 2) onEvent(progress(1));
      return ok;
    });
    const client = await LegacyClient.open(port, at('2025-03-26'));
    const quiet = await client.post([callEcho(1), rpc(2, 'ping'), notification('notifications/x')]);
    await quiet.ended;
    expect(JSON.parse(quiet.text())).toMatchObject([{ id: 1 }, { id: 2, result: {} }]);
    const loud = await client.post([callEcho(3, withToken('p')), rpc(4, 'ping'), initialize('2025-03-26')]);
    expect(await loud.message()).toMatchObject({ method: 'notifications/progress' });
    expect(await loud.message()).toMatchObject({ id: 3 });
    expect(await loud.message()).toMatchObject({ id: 4 });
    expect(await loud.message()).toMatchObject({ id: 0, error: {} });
    const other = await LegacyClient.open(port, at('2025-06-18'));
    expect((await other.post([rpc(1, 'ping')])).status).toBe(400);
  });

  it('takes the members of a batch in their order: one cancels another before it', async () => {
    const held = new Held();
    const { port } = await serve(held.handle);
    const client = await LegacyClient.open(port, at('2025-03-26'));
    const canceling = client.post([
      notification('notifications/cancelled', { requestId: 2 }),
      callEcho(1),
      notification('notifications/cancelled', { requestId: 1 }),
      callEcho(2),
    ]);
    const [first, second] = [await held.context(0), await held.context(1)];
    expect([first.signal.aborted, second.signal.aborted]).toEqual([true, false]);
    held.end(0);
    held.end(1);
    const coming = await canceling;
    await coming.ended;
    const answers = JSON.parse(coming.text()) as unknown[];
    expect(answers).toMatchObject([{ id: 2, result: {} }]);
    expect(answers).toHaveLength(1);
  });

  it('has the requests of a batch counted beyond the first, which the POST was', async () => {
    const { port, rate } = await serve(async () => ok);
    const client = await LegacyClient.open(port, at('2025-03-26'));
    await client.post(callEcho(1));
    rate.waitMs = 700;
    const coming = await client.post([notification('notifications/x'), callEcho(2), callEcho(3), {}, rpc(4, 'ping')]);
    await coming.ended;
    const slow = { code: 4290, data: { retryAfterMs: 700 } };
    expect(JSON.parse(coming.text())).toMatchObject([
      { id: 2, result: {} },
      { id: 3, error: slow },
      { id: null, error: { code: -32600 } },
      { id: 4, error: slow },
    ]);
    expect(rate.counted).toBe(2);
  });

  it('is refused beyond the cap of requests in flight', async () => {
    const held = new Held();
    const { port } = await serve(held.handle, { limits: { inFlightPerStream: 1 } });
    const client = await LegacyClient.open(port);
    const first = client.post(callEcho(1));
    await held.context();
    expect(await answerOf(await client.post(callEcho(2)))).toMatchObject({ error: { code: 4290 } });
    held.end();
    expect(await answerOf(await first)).toMatchObject({ id: 1, result: {} });
  });
});

describe('streams of a session', () => {
  /** Posts a call, reads its first event and lets go of the connection. */
  async function brokenCall(held: Held, client: LegacyClient): Promise<{ lastId: string }> {
    const posted = client.post(callEcho(9, withToken('p')));
    const context = await held.context();
    context.onEvent(progress(1));
    const coming = await posted;
    const primed = await coming.event();
    const first = await coming.event();
    expect([primed?.data, first?.data]).toMatchObject(['', expect.stringContaining('progress')]);
    coming.drop();
    await coming.ended;
    expect(context.signal.aborted).toBe(false);
    return { lastId: first?.id ?? '' };
  }

  it('go on over another connection, with everything since the last event and nothing before', async () => {
    verifies('s25-replay-own');
    const held = new Held();
    const { port, gauge } = await serve(held.handle);
    const client = await LegacyClient.open(port);
    const { lastId } = await brokenCall(held, client);
    (await held.context()).onEvent(progress(2));
    const resumed = await client.get(lastId);
    expect(await resumed.message()).toMatchObject({ method: 'notifications/progress', params: { progress: 2 } });
    (await held.context()).onEvent(progress(3));
    expect(await resumed.message()).toMatchObject({ params: { progress: 3 } });
    held.end();
    expect(await resumed.message()).toMatchObject({ id: 9, result: {} });
    expect(await resumed.event()).toBeUndefined();
    const again = await client.get(lastId);
    expect([await again.message(), await again.message(), await again.message()]).toMatchObject([{}, {}, { id: 9 }]);
    expect(gauge('event_store_bytes')).toBeGreaterThan(0);
    expect(await client.delete()).toBe(204);
    expect(gauge('event_store_bytes')).toBe(0);
  });

  it('that end with an error, or without a response, are over: who asks for more is told so', async () => {
    const held = new Held();
    const { port } = await serve(held.handle, { pace: { patienceMs: 20, tickMs: 10 } });
    const client = await LegacyClient.open(port);
    const { lastId } = await brokenCall(held, client);
    held.end(0, { kind: 'error', error: { code: -32602, message: 'no' } });
    const resumed = await client.get(lastId);
    await resumed.event();
    const answer = await resumed.event();
    expect(answer?.data).toContain('"error"');
    expect(await resumed.event()).toBeUndefined();
    expect((await client.get(answer?.id)).status).toBe(204);
    expect((await client.get(lastId)).status).toBe(200);
    for (const [n, more] of [{}, withToken('p')].entries()) {
      const posted = client.post(callEcho(20 + n, more));
      const context = await held.context(1 + n);
      if (n === 1) context.onEvent(progress(1));
      const coming = await posted;
      const primed = await coming.event();
      const last = n === 1 ? await coming.event() : primed;
      await client.post(notification('notifications/cancelled', { requestId: 20 + n }));
      held.end(1 + n);
      expect(await coming.event()).toBeUndefined();
      expect((await client.get(last?.id)).status).toBe(204);
    }
  });

  it('answer a resumption with an error where the result was too large to keep', async () => {
    const held = new Held();
    const { port } = await serve(held.handle);
    const client = await LegacyClient.open(port);
    const { lastId } = await brokenCall(held, client);
    held.end(0, { kind: 'complete', result: jsonText({ content: [{ type: 'text', text: 'x'.repeat(2 * 1024 * 1024) }] }) });
    const resumed = await client.get(lastId);
    expect(await answerOf(resumed)).toMatchObject({ id: 9, error: { code: 5130 } });
    expect(await resumed.event()).toBeUndefined();
  });

  it('are never shown to another session, nor under an event id that was not given out', async () => {
    verifies('s25-event-ids');
    const held = new Held();
    const { port } = await serve(held.handle);
    const client = await LegacyClient.open(port);
    const { lastId } = await brokenCall(held, client);
    const stranger = await LegacyClient.open(port);
    expect((await stranger.get(lastId)).status).toBe(400);
    const other = await LegacyClient.open(port, { who: 'other' });
    other.id = client.id;
    expect((await other.get(lastId)).status).toBe(404);
    const [stream = ''] = lastId.split('_');
    for (const wrong of [`${stream}_99`, `${stream}_`, `${stream}_-1`, `${stream}_1e0`, stream, '_', '_1', 'x'])
      expect([wrong, (await client.get(wrong)).status]).toEqual([wrong, 400]);
    held.end();
  });

  it('end with the session', async () => {
    const held = new Held();
    const { port, gauge } = await serve(held.handle);
    const client = await LegacyClient.open(port);
    const posted = client.post(callEcho(1, withToken('p')));
    (await held.context()).onEvent(progress(1));
    const coming = await posted;
    const listening = await client.get();
    expect(await client.delete()).toBe(204);
    await Promise.all([coming.ended, listening.ended]);
    expect((await held.context()).signal.aborted).toBe(true);
    expect((await client.get()).status).toBe(404);
    await eventually(() => gauge('http_streams') === 0 && gauge('sessions') === 0);
    held.end();
  });
});

describe('asks', () => {
  const ask = {
    method: 'elicitation/create',
    params: jsonText({ message: 'name?', requestedSchema: { type: 'object', properties: {} } }),
  } as const;
  const CAN = { elicitation: {} };

  async function asking(signal = new AbortController().signal) {
    const answers: AskAnswer[] = [];
    const gateway = await serve(async (_call, context) => {
      answers.push((await context.ask?.(ask, signal)) ?? { error: { code: 0, message: 'nobody can be asked' } });
      return ok;
    });
    const client = await LegacyClient.open(gateway.port, { capabilities: CAN });
    return { answers, gateway, client };
  }

  it('go out on the stream of the request and are answered by a POST; unknown and second answers are ignored', async () => {
    const { answers, gateway, client } = await asking();
    const coming = await client.post(callEcho(1));
    const asked = await coming.message();
    expect(asked).toMatchObject({ method: 'elicitation/create', params: { message: 'name?' } });
    const answer = (id: unknown, name: string) => ({ jsonrpc: '2.0', id, result: { action: 'accept', content: { name } } });
    expect((await client.post(answer(999, 'nobody'))).status).toBe(202);
    expect((await client.post(answer(String(asked.id), 'nobody'))).status).toBe(202);
    expect((await client.post(answer(asked.id, 'first'))).status).toBe(202);
    await client.post(answer(asked.id, 'second'));
    expect(await answerOf(coming)).toMatchObject({ id: 1, result: {} });
    expect(answers).toMatchObject([{ result: { value: { action: 'accept', content: { name: 'first' } } } }]);
    expect(gateway.gauge('client_asks')).toBe(0);
  });

  it.each([false, true])('end with an answer that is malformed (in a batch: %s)', async (batch) => {
    const answers: AskAnswer[] = [];
    const gateway = await serve(async (_call, context) => {
      answers.push((await context.ask?.({ method: 'roots/list', params: undefined }, new AbortController().signal)) as AskAnswer);
      return ok;
    });
    const client = await LegacyClient.open(gateway.port, { ...at('2025-03-26'), capabilities: { roots: {} } });
    const coming = await client.post(callEcho(1));
    const asked = await coming.message();
    const answer = { jsonrpc: '2.0', id: asked.id, result: null };
    const refusal = await client.post(batch ? [answer] : answer);
    await refusal.ended;
    expect(refusal.status).toBe(batch ? 202 : 400);
    if (!batch) expect(JSON.parse(refusal.text())).toMatchObject({ id: null, error: { code: -32600 } });
    expect(await answerOf(coming)).toMatchObject({ id: 1, result: {} });
    expect(answers).toMatchObject([{ error: { code: -32603, message: 'The answer was malformed.' } }]);
    expect(gateway.gauge('client_asks')).toBe(0);
  });

  it('are not answered by another session', async () => {
    const { answers, client, gateway } = await asking();
    const coming = await client.post(callEcho(1));
    const asked = await coming.message();
    const stranger = await LegacyClient.open(gateway.port, { capabilities: CAN });
    await stranger.post({ jsonrpc: '2.0', id: asked.id, result: { action: 'accept' } });
    expect(answers).toEqual([]);
    await client.post({ jsonrpc: '2.0', id: asked.id, error: { code: -1, message: 'no' } });
    await answerOf(coming);
    expect(answers).toMatchObject([{ error: { code: -1 } }]);
  });

  it('are taken back when their signal aborts', async () => {
    const controller = new AbortController();
    const { answers, client, gateway } = await asking(controller.signal);
    const coming = await client.post(callEcho(1));
    const asked = await coming.message();
    controller.abort();
    expect(await coming.message()).toMatchObject({ method: 'notifications/cancelled', params: { requestId: asked.id } });
    await answerOf(coming);
    expect(answers).toMatchObject([{ error: {} }]);
    expect(gateway.gauge('client_asks')).toBe(0);
  });

  it('wait for a client that comes back for its stream', async () => {
    const { answers, client } = await asking();
    const coming = await client.post(callEcho(1));
    const primed = await coming.event();
    coming.drop();
    const resumed = await client.get(primed?.id);
    const asked = await resumed.message();
    await client.post({ jsonrpc: '2.0', id: asked.id, result: { action: 'decline' } });
    expect(await answerOf(resumed)).toMatchObject({ id: 1 });
    expect(answers).toHaveLength(1);
  });

  it('end with the session', async () => {
    const { answers, client, gateway } = await asking();
    const coming = await client.post(callEcho(1));
    await coming.message();
    await client.delete();
    await eventually(() => answers.length === 1);
    expect(gateway.gauge('client_asks')).toBe(0);
  });
});

describe('a GET stream', () => {
  it('tells of changed lists on exactly one stream, and falls back to another', async () => {
    verifies('s25-one-stream', 's25-get');
    const gateway = await serve(async () => ok);
    const client = await LegacyClient.open(gateway.port, at('2025-06-18'));
    const older = await client.get();
    const newer = await client.get();
    changeTools(gateway);
    expect(await newer.message()).toEqual({ jsonrpc: '2.0', method: 'notifications/tools/list_changed' });
    newer.drop();
    await newer.ended;
    await eventually(() => gateway.gauge('http_streams') === 1);
    changeTools(gateway);
    expect(await older.message()).toMatchObject({ method: 'notifications/tools/list_changed' });
    expect(older.text().match(/list_changed/g)).toHaveLength(1);
  });

  it('is watched for only while somebody can hear it', async () => {
    const gateway = await serve(async () => ok);
    const client = await LegacyClient.open(gateway.port);
    expect(gateway.services.hub.size).toBe(0);
    const coming = await client.get();
    expect(gateway.services.hub.size).toBe(1);
    coming.drop();
    await coming.ended;
    await client.delete();
    await eventually(() => gateway.services.hub.size === 0);
  });

  it('that breaks is resumed without losing what happened meanwhile', async () => {
    const gateway = await serve(async () => ok);
    const client = await LegacyClient.open(gateway.port);
    const coming = await client.get();
    const primed = await coming.event();
    coming.drop();
    await eventually(() => gateway.gauge('http_streams') === 0);
    changeTools(gateway);
    await eventually(() => gateway.gauge('event_store_bytes') > 0);
    const resumed = await client.get(primed?.id);
    expect(await resumed.message()).toMatchObject({ method: 'notifications/tools/list_changed' });
  });

  it('needs a session and a client that takes it, and ends with its credential', async () => {
    const gateway = await serve(async () => ok, { pace: { patienceMs: 1000, tickMs: 5 } });
    const { port } = gateway;
    expect((await send(port, { method: 'GET' })).status).toBe(405);
    expect((await send(port, { method: 'GET', headers: { 'mcp-session-id': 'x' } })).status).toBe(404);
    const client = await LegacyClient.open(port, { who: 'guest' });
    const headers = { ...client.headers, accept: 'application/json' };
    expect((await send(port, { method: 'GET', headers })).status).toBe(406);
    const coming = await client.get();
    gateway.revoked.add('guest');
    await coming.ended;
    expect(coming.raw.complete).toBe(true);
  });

  it('ends when the gateway goes, after which calls under way are still answered', async () => {
    const held = new Held();
    const gateway = await serve(held.handle);
    const client = await LegacyClient.open(gateway.port);
    const listening = await client.get();
    const posted = client.post(callEcho(1));
    await held.context();
    const stopped = gateway.stop();
    await listening.ended;
    held.end();
    expect(await answerOf(await posted)).toMatchObject({ id: 1, result: {} });
    await stopped;
    running = undefined;
  });

  it('of many: the oldest gives way', async () => {
    const gateway = await serve(async () => ok);
    const client = await LegacyClient.open(gateway.port);
    const first = await client.get();
    for (let i = 0; i < 8; i++) await client.get();
    await first.ended;
    expect(gateway.gauge('http_streams')).toBe(8);
  });
});

describe('many sessions', () => {
  it('that vanish without DELETE leave nothing behind', { timeout: 60_000 }, async () => {
    const held = new Held();
    const gateway = await serve(held.handle);
    const clients = [];
    for (let i = 0; i < 300; i++) clients.push(await LegacyClient.open(gateway.port));
    const streams = await Promise.all(clients.slice(0, 100).map((client) => client.get()));
    const posted = clients.slice(100, 200).map((client, i) => client.post(callEcho(i, withToken('p'))));
    await held.context(99);
    for (const context of held.contexts) context.onEvent(progress(1));
    const calls = await Promise.all(posted);
    expect([gateway.gauge('sessions'), gateway.gauge('http_streams'), gateway.services.hub.size]).toEqual([300, 200, 100]);
    for (const coming of [...streams, ...calls]) coming.drop();
    await eventually(() => gateway.gauge('http_streams') === 0);
    gateway.clock.time += 3_600_000;
    for (let i = 0; i < 100; i++) held.end(i);
    await eventually(() => gateway.gauge('calls_in_flight') === 0);
    gateway.faces.sweep();
    gateway.clock.time += 3_600_000;
    gateway.faces.sweep();
    expect([gateway.gauge('sessions'), gateway.gauge('event_store_bytes'), gateway.services.hub.size]).toEqual([0, 0, 0]);
  });
});
