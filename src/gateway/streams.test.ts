import { describe, expect, it } from 'vitest';
import { jsonText, type CallContext, type Failure, type Outcome, type ResultSink, type ResultStream } from '../protocol/index.ts';
import { ECHO, testGateway, TestPort, type TestServer } from './testing.ts';

class FakeStream implements ResultStream {
  sink: ResultSink | undefined;
  resumed = 0;
  aborted = 0;
  begin(sink: ResultSink): void {
    this.sink = sink;
  }
  resume(): void {
    this.resumed++;
  }
  abort(): void {
    this.aborted++;
  }
}

const broken: Failure = { code: 'upstream_failed', message: 'it broke off', executed: 'unknown' };

function streaming(more: Partial<TestServer> = {}) {
  const stream = new FakeStream();
  const allowed: unknown[] = [];
  const handle: TestServer['handle'] = (_call, { streams }): Outcome => {
    allowed.push(streams);
    return streams === true ? { kind: 'stream', stream } : { kind: 'complete', result: jsonText({ content: [], structuredContent: {} }) };
  };
  const gateway = testGateway([{ name: 's', handle, ...more }]);
  return { gateway, stream, allowed };
}

const echo = { name: 'echo', arguments: { text: 'x' } };
const port = (): TestPort => new TestPort({ streams: true });

describe('a large result', () => {
  it('flows to the client, and closes the call when it has flowed', async () => {
    const { gateway, stream } = streaming();
    const written: string[] = [];
    const ends: unknown[] = [];
    const { answer } = await gateway.ask('/mcp/s', 'tools/call', echo, { port: port() });
    expect(answer).toMatchObject({ text: '', status: 200 });
    expect([gateway.records.length, gateway.services.inFlight.size]).toEqual([0, 1]);
    answer.stream?.begin({
      idText: '7',
      write: (bytes) => written.push(bytes.toString()) < 2,
      end: (failure) => ends.push(failure),
    });
    expect(stream.sink?.idText).toBe('7');
    expect([stream.sink?.write(Buffer.from('ab')), stream.sink?.write(Buffer.from('cde'))]).toEqual([true, false]);
    answer.stream?.resume();
    stream.sink?.end(undefined);
    gateway.flush();
    expect([written, ends, stream.resumed]).toEqual([['ab', 'cde'], [undefined], 1]);
    expect(gateway.records).toMatchObject([{ outcome: 'ok', bytesOut: 5, streamed: true }]);
    expect(gateway.services.inFlight.size).toBe(0);
  });

  it('is recorded as what the tool says of it', async () => {
    const { gateway, stream } = streaming();
    const ends: unknown[] = [];
    const { answer } = await gateway.ask('/mcp/s', 'tools/call', echo, { port: port() });
    answer.stream?.begin({ idText: '7', write: () => true, end: (_failure, isError) => ends.push(isError) });
    stream.sink?.end(undefined, true);
    gateway.flush();
    expect(ends).toEqual([true]);
    expect(gateway.records).toMatchObject([{ outcome: 'tool_error', streamed: true }]);
  });

  it('is told of no more once it flows, while its attempts still count', async () => {
    const stream = new FakeStream();
    let context: CallContext | undefined;
    const gateway = testGateway([
      {
        name: 's',
        handle: (_call, given): Outcome => {
          context = given;
          return { kind: 'stream', stream };
        },
      },
    ]);
    const client = port();
    const { answer } = await gateway.ask('/mcp/s', 'tools/call', { ...echo, _meta: { progressToken: 1 } }, { port: client });
    answer.stream?.begin({ idText: '1', write: () => true, end: () => undefined });
    context?.onEvent({ kind: 'notification', method: 'notifications/progress', params: jsonText({ progress: 1 }) });
    context?.onEvent({ kind: 'attempt', attempt: { server: 's', via: 'http-modern', durationMs: 1, outcome: 'ok' } });
    stream.sink?.end(undefined);
    gateway.flush();
    expect(client.told).toEqual([]);
    expect(gateway.records[0]?.attempts).toHaveLength(1);
  });

  it('is recorded once as what became of it where it breaks off or the client goes', async () => {
    for (const [end, outcome] of [
      ['break', 'failed'],
      ['abort', 'canceled'],
    ] as const) {
      const { gateway, stream } = streaming();
      const { answer } = await gateway.ask('/mcp/s', 'tools/call', echo, { port: port() });
      answer.stream?.begin({ idText: '1', write: () => true, end: () => undefined });
      if (end === 'break') stream.sink?.end(broken);
      answer.stream?.abort();
      stream.sink?.end(broken);
      gateway.flush();
      expect(gateway.records).toMatchObject([{ outcome }]);
      expect([stream.aborted, gateway.services.inFlight.size]).toEqual([1, 0]);
    }
  });

  it('is held where something needs the whole of it', async () => {
    const whole = { ...ECHO, outputSchema: { type: 'object' } };
    const client = { revision: '2025-11-25' as const, info: undefined, capabilities: {} };
    for (const [path, more, incoming] of [
      ['/mcp', {}, { port: port() }],
      ['/mcp/s', { tools: [whole] }, { port: port() }],
      ['/mcp/s', {}, { port: new TestPort() }],
      ['/mcp/s', {}, {}],
      ['/mcp/s', {}, { port: port(), client }],
    ] as const) {
      const { gateway, allowed } = streaming(more);
      const name = path === '/mcp' ? 's__echo' : 'echo';
      expect((await gateway.ask(path, 'tools/call', { ...echo, name }, incoming)).body).toHaveProperty('result.content');
      expect(allowed).toEqual([false]);
    }
  });
});
