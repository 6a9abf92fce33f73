import { afterEach, describe, expect, it } from 'vitest';
import { jsonText, META, type CallContext, type Failure, type Outcome, type ResultSink, type ResultStream } from '../../protocol/index.ts';
import {
  answerOf,
  changeTools,
  eventually,
  modern,
  notification,
  send,
  serverOf,
  start,
  type FaceOptions,
  type Running,
} from './testing.ts';

const ok: Outcome = { kind: 'complete', result: jsonText({ content: [] }) };
const call = (id: number, meta = {}) => modern(id, 'tools/call', { name: 'echo', arguments: { text: 'x' } }, meta);
const progress = (value: number) =>
  ({ kind: 'notification', method: 'notifications/progress', params: jsonText({ progressToken: 7, progress: value }) }) as const;

let running: Running | undefined;
afterEach(async () => {
  await running?.stop();
  running = undefined;
});

async function serve(handle: (context: CallContext) => Outcome | Promise<Outcome> = () => ok, options: FaceOptions = {}): Promise<Running> {
  running = await start([serverOf((_call, context) => handle(context))], options);
  return running;
}

describe('an answer to a modern request', () => {
  it('is JSON where nothing comes before it, and echoes no session', async () => {
    verifies('http-endpoint', 'http-answer-type', 'basic-result-id', 'basic-result');
    const { port } = await serve();
    const { body, headers } = call(1);
    const coming = await send(port, { body, headers: { ...headers, 'mcp-session-id': 'whatever' } });
    expect([coming.status, coming.headers['content-type'], coming.headers['mcp-session-id']]).toEqual([200, 'application/json', undefined]);
    expect(await answerOf(coming)).toMatchObject({ id: 1, result: { resultType: 'complete' } });
  });

  it('becomes a stream with the first notification, and the response ends it', async () => {
    verifies('http-answer-type', 'http-related', 'progress-token');
    const { port, gauge } = await serve(({ onEvent }) => {
      onEvent(progress(1));
      onEvent(progress(2));
      return ok;
    });
    const coming = await send(port, call(2, { progressToken: 'p' }));
    expect(coming.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    expect(await coming.message()).toMatchObject({ method: 'notifications/progress', params: { progressToken: 'p', progress: 1 } });
    expect(await coming.message()).toMatchObject({ params: { progress: 2 } });
    expect(await coming.message()).toMatchObject({ id: 2, result: {} });
    expect(await coming.event()).toBeUndefined();
    await eventually(() => gauge('http_streams') === 0);
  });

  it('stays JSON for a client that takes no stream', async () => {
    const { port } = await serve(({ onEvent }) => {
      onEvent(progress(1));
      return ok;
    });
    const { body, headers } = call(1, { progressToken: 'p' });
    const coming = await send(port, { body, headers: { ...headers, accept: 'application/json' } });
    expect(coming.headers['content-type']).toBe('application/json');
    expect(await answerOf(coming)).toMatchObject({ result: {} });
  });

  it('becomes a stream when it takes long, and is kept alive', async () => {
    let finish: (outcome: Outcome) => void = () => undefined;
    const { port } = await serve(() => new Promise((resolve) => (finish = resolve)), { pace: { patienceMs: 20, tickMs: 10 } });
    const coming = await send(port, call(1));
    expect([coming.status, coming.headers['content-type']]).toEqual([200, 'text/event-stream']);
    await eventually(() => coming.text().includes(':\n\n'));
    finish(ok);
    expect(await answerOf(coming)).toMatchObject({ id: 1 });
  });

  it('may still have a status of its own as long as nothing was sent', async () => {
    const { port } = await serve(() => ({ kind: 'error', error: { code: -32021, message: 'no', data: { requiredCapabilities: {} } } }));
    const coming = await send(port, call(1));
    expect(coming.headers['content-type']).toBe('application/json');
    expect(await answerOf(coming)).toHaveProperty('error');
  });

  it('is canceled by closing the response', async () => {
    verifies('http-close-cancels', 'cancel-http', 'http-close-silent');
    let aborted = false;
    const { port } = await serve(({ signal, onEvent }) => {
      onEvent(progress(1));
      return new Promise((resolve) =>
        signal.addEventListener('abort', () => {
          aborted = true;
          onEvent(progress(2));
          resolve(ok);
        }),
      );
    });
    const coming = await send(port, call(1, { progressToken: 1 }));
    await coming.message();
    coming.drop();
    await eventually(() => aborted);
  });

  it('is 202 for a notification, and 400 for a response or an invalid message', async () => {
    verifies('http-notification-202', 'http-notification-refused');
    const { port } = await serve();
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-session-id': 'ignored' };
    expect((await send(port, { headers, body: notification('notifications/x') })).status).toBe(202);
    expect((await send(port, { headers, body: '{' })).status).toBe(400);
    expect((await send(port, { body: { jsonrpc: '2.0', id: 1, result: {} } })).status).toBe(400);
    expect((await send(port, { method: 'GET', headers })).status).toBe(405);
  });
});

/** A large result whose flow the test controls. */
class Flow implements ResultStream {
  sink: ResultSink | undefined;
  resumed = 0;
  aborted = false;
  begin(sink: ResultSink): void {
    this.sink = sink;
  }
  resume(): void {
    this.resumed++;
  }
  abort(): void {
    this.aborted = true;
  }
  write(text: string): boolean {
    return this.sink?.write(Buffer.from(text)) ?? false;
  }
  end(failure?: Failure): void {
    this.sink?.end(failure);
  }
}

describe('a large answer that flows', () => {
  async function flowing(before = false) {
    const flow = new Flow();
    const gateway = await serve(({ onEvent }) => {
      if (before) onEvent(progress(1));
      return { kind: 'stream', stream: flow };
    });
    const coming = send(gateway.port, call(5, { progressToken: 1 }));
    const sink = await eventually(() => flow.sink);
    return { flow, sink, coming, gateway };
  }

  it('is the body as it comes, with the id of the client', async () => {
    const { flow, sink, coming } = await flowing();
    expect(sink.idText).toBe('5');
    flow.write('{"jsonrpc":"2.0","id":5,');
    flow.write('"result":{}}');
    flow.end();
    expect(await answerOf(await coming)).toEqual({ jsonrpc: '2.0', id: 5, result: {} });
  });

  it('is one event where the response was a stream already, its line ends made spaces', async () => {
    const { flow, coming } = await flowing(true);
    flow.write('{"jsonrpc":"2.0",\r\n"id":5,\n"result":{"text":"a\\nb"}}');
    flow.end();
    expect(await answerOf(await coming)).toEqual({ jsonrpc: '2.0', id: 5, result: { text: 'a\nb' } });
  });

  it('stops while the reader is behind, and goes on when he has read', async () => {
    const { flow, coming } = await flowing();
    const piece = 'x'.repeat(1024 * 1024);
    flow.write('"');
    const reader = await coming;
    reader.raw.pause();
    let pieces = 1;
    while (flow.write(piece)) pieces++;
    // The kernel's buffers take some; then it stops for good until somebody reads.
    expect(flow.resumed).toBe(0);
    reader.raw.resume();
    await eventually(() => flow.resumed > 0);
    flow.write('"');
    flow.end();
    await reader.ended;
    expect(reader.text().length).toBe(pieces * piece.length + 2);
    expect(reader.raw.complete).toBe(true);
  });

  it('is given up when the client leaves, and broken off when the server does', async () => {
    const first = await flowing();
    first.flow.write('{');
    (await first.coming).drop();
    await eventually(() => first.flow.aborted);
    expect(first.flow.write('x')).toBe(false);
    await first.gateway.stop();
    const { flow, coming } = await flowing();
    flow.write('{"jsonrpc"');
    const reader = await coming;
    flow.end({ code: 'upstream_failed', message: 'gone', executed: 'unknown' });
    await reader.ended;
    expect(reader.raw.complete).toBe(false);
  });
});

describe('subscriptions/listen', () => {
  const listen = (id: number | string) => modern(id, 'subscriptions/listen', { notifications: { toolsListChanged: true } });
  const ID = `params._meta.${META.subscriptionId}`.split('.')[0];

  it('acknowledges first, tells what changes under the id of the request, and ends gracefully when the gateway goes', async () => {
    verifies('listen-first', 'basic-subscription-id');
    const gateway = await serve();
    const coming = await send(gateway.port, listen('L'));
    expect(coming.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' });
    const acknowledged = await coming.message();
    expect(acknowledged).toMatchObject({
      method: 'notifications/subscriptions/acknowledged',
      [ID as string]: { _meta: { [META.subscriptionId]: 'L' } },
    });
    changeTools(gateway);
    expect(await coming.message()).toMatchObject({
      method: 'notifications/tools/list_changed',
      params: { _meta: { [META.subscriptionId]: 'L' } },
    });
    const stopped = gateway.stop();
    expect(await coming.message()).toMatchObject({ id: 'L', result: { resultType: 'complete' } });
    expect(await coming.event()).toBeUndefined();
    await stopped;
    expect(gateway.services.hub.size).toBe(0);
    running = undefined;
  });

  it('ends when the client closes it, or when its credential does', async () => {
    const gateway = await serve(undefined, { pace: { patienceMs: 1000, tickMs: 5 } });
    const first = await send(gateway.port, listen(1));
    await first.message();
    first.drop();
    await eventually(() => gateway.services.hub.size === 0);
    const { body, headers } = listen(2);
    const second = await send(gateway.port, { body, headers: { ...headers, authorization: 'Bearer guest' } });
    await second.message();
    gateway.revoked.add('guest');
    expect(await second.message()).toMatchObject({ id: 2, result: {} });
    expect(await second.event()).toBeUndefined();
    await eventually(() => gateway.services.hub.size === 0);
    expect(gateway.gauge('http_streams')).toBe(0);
  });

  it('is refused with a status where it cannot be', async () => {
    const { port } = await serve();
    const { body, headers } = listen(1);
    expect((await send(port, { body, headers: { ...headers, accept: 'application/json' } })).status).toBe(406);
    const bad = modern(1, 'subscriptions/listen', { notifications: 7 });
    const coming = await send(port, bad);
    expect(coming.status).toBeGreaterThanOrEqual(200);
    expect(await answerOf(coming)).toMatchObject({ error: { code: -32602 } });
  });
});
