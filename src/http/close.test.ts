import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { FastifyReply } from 'fastify';
import { bearer, makeHost, SECRET, send } from './test-support.ts';

/** A host with `/hold`, whose hijacked reply ends when the test says so. */
async function holding() {
  const made = makeHost();
  const held: FastifyReply[] = [];
  made.host.surface('mcp', async (app) => {
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
    await expect(send({ port, path: '/healthz' })).rejects.toThrow(/ECONNREFUSED/);
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
