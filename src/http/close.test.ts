import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { bearer, makeHost, SECRET, send } from './test-support.ts';

/** A host with `/hold`, whose hijacked reply ends when the test says so. */
async function holding(more: (app: FastifyInstance) => void = () => undefined) {
  const made = makeHost();
  const held: FastifyReply[] = [];
  made.host.surface('mcp', async (app) => {
    more(app);
    app.get('/hold', (_request, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { 'content-type': 'text/event-stream' });
      reply.raw.write(': open\n\n');
      held.push(reply);
    });
  });
  const { port } = await made.host.listen();
  const answer = send({ port, path: '/hold', headers: bearer(SECRET.agent) });
  await expect.poll(() => held.length).toBe(1);
  return { ...made, port, held, answer };
}

describe('close', () => {
  it('lets an open hijacked reply end, and takes nothing new meanwhile', async () => {
    const { host, port, held, answer } = await holding();
    let closed = false;
    const closing = host.close(60_000).then(() => (closed = true));
    await expect.poll(() => host.public.server.listening).toBe(false);
    await expect(send({ port, path: '/healthz' })).rejects.toThrow(/ECONNREFUSED|ECONNRESET/);
    expect(closed).toBe(false);
    held[0]?.raw.end('data: bye\n\n');
    expect((await answer).text).toContain('bye');
    await closing;
  });

  it('destroys what is left after the grace period, and says how much', async () => {
    const { host, events, answer } = await holding();
    const cut = answer.then(
      () => 'ended',
      () => 'cut',
    );
    await host.close(50);
    expect(await cut).toBe('cut');
    expect(events).toContainEqual({ kind: 'forced_close', connections: 1 });
  });

  it('makes a last call at the end of the grace period, and waits a moment for what comes of it', async () => {
    const { host, events, held, answer } = await holding();
    const cut = (): void => void setTimeout(() => held[0]?.raw.end('data: unknown\n\n'), 50);
    const begun = performance.now();
    await host.close(50, { cut, lastWordsMs: 60_000 });
    expect(performance.now() - begun).toBeGreaterThan(80);
    expect((await answer).text).toContain('unknown');
    expect(events).not.toContainEqual(expect.objectContaining({ kind: 'forced_close' }));
  });

  it('does not wait for ever for what comes of it', async () => {
    const { host, events, answer } = await holding();
    const gone = answer.catch(() => 'cut');
    let calls = 0;
    await host.close(20, { cut: () => void calls++, lastWordsMs: 20 });
    await gone;
    // Each listener drains for itself, and only the public one has a connection.
    expect(calls).toBe(1);
    expect(events).toContainEqual({ kind: 'forced_close', connections: 1 });
  });

  it('runs preClose hooks at its start, so that streams without an end are ended by their owner', async () => {
    const { host, events, held, answer } = await holding((app) => {
      app.addHook('preClose', (done) => {
        held[0]?.raw.end('data: bye\n\n');
        done();
      });
    });
    await host.close(60_000);
    expect((await answer).text).toContain('bye');
    expect(events).not.toContainEqual(expect.objectContaining({ kind: 'forced_close' }));
  });

  it('serves what still arrives on an open connection, and then ends it', async () => {
    const { host, port, held, answer } = await holding();
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
    socket.write('POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\n');
    const ended = once(socket, 'close');
    await once(socket, 'connect');
    await expect.poll(() => host.public.server.listening).toBe(true);
    const closing = host.close(60_000);
    socket.write(`authorization: Bearer ${SECRET.agent}\r\n\r\n{}`);
    await ended;
    expect(text).toMatch(/^HTTP\/1\.1 200 [\s\S]*connection: close/i);
    held[0]?.raw.end();
    await Promise.all([closing, answer]);
  });

  it('ends idle keep-alive connections at once, and may be called twice', async () => {
    const { host } = makeHost();
    const { port } = await host.listen();
    const socket = connect(port, '127.0.0.1');
    socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await once(socket, 'data');
    const ended = once(socket, 'close');
    socket.resume();
    await Promise.all([host.close(60_000), host.close(60_000)]);
    await ended;
  });
});
