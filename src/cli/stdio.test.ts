import { once } from 'node:events';
import { rmSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { appError, Harness } from './fake-app.ts';

let harness = new Harness();

afterEach(async () => {
  await harness.end();
});

const SWITCH = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: mcp-stdio\r\n\r\n';

interface Peer {
  readonly request: IncomingMessage;
  readonly socket: Duplex;
}

/** A running owner that takes one stdio connection. */
async function owner(): Promise<{ h: Harness; peer: Promise<Peer> }> {
  harness = await new Harness().running();
  const peer = new Promise<Peer>((resolve) => {
    harness.onUpgrade = (request, socket) => {
      socket.on('error', () => {});
      socket.write(SWITCH);
      resolve({ request, socket });
    };
  });
  return { h: harness, peer };
}

async function printed(h: Harness, bytes: number): Promise<void> {
  while (Buffer.byteLength(h.stdout.all) < bytes) await once(h.stdout, 'data');
}

describe('stdio as a relay', () => {
  it('asks for the endpoint with the key of the file', async () => {
    const { h, peer } = await owner();
    const run = h.run('stdio', '--server', 'stockpulse');
    const { request, socket } = await peer;
    expect(request.url).toBe('/mcp/stockpulse');
    expect(request.headers).toMatchObject({ upgrade: 'mcp-stdio', authorization: 'Bearer agent-secret', host: 'localhost' });
    h.stdin.end();
    await once(socket.resume(), 'end');
    socket.end();
    expect(await run).toBe(0);
    expect(h.started).toEqual([]);
  });

  it('leaves out the empty lines with which the owner looks whether it is there', async () => {
    const { h, peer } = await owner();
    const run = h.run('stdio');
    const { socket } = await peer;
    for (const part of ['\n{"a":', '1}\n\n', '\n', '{"b":2}\n\n\n{"c"', ':3}', '\n', '\n']) {
      socket.write(part);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    const expected = '{"a":1}\n{"b":2}\n{"c":3}\n';
    await printed(h, expected.length);
    h.stdin.end();
    await once(socket.resume(), 'end');
    socket.end();
    expect(await run).toBe(0);
    expect(h.stdout.all).toBe(expected);
  });

  it('copies byte for byte both ways, and nothing else to stdout', async () => {
    const { h, peer } = await owner();
    const run = h.run('stdio');
    const { socket } = await peer;
    const up = '{"jsonrpc":"2.0","id":1,"method":"é\\u2028"}\n'.repeat(5000);
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    h.stdin.end(up);
    await once(socket, 'end');
    expect(Buffer.concat(chunks).toString()).toBe(up);
    // Answers still due come after the end of stdin.
    const down = '{"jsonrpc":"2.0","id":1,"result":{}}\n'.repeat(5000);
    socket.end(down);
    expect(await run).toBe(0);
    await printed(h, Buffer.byteLength(down));
    expect(h.stdout.all).toBe(down);
  });

  it('ends when the host closes our output', async () => {
    const { h, peer } = await owner();
    const run = h.run('stdio');
    await peer;
    h.stdout.destroy(new Error('EPIPE'));
    expect(await run).toBe(0);
  });

  it('ends on a signal', async () => {
    const { h, peer } = await owner();
    const run = h.run('stdio');
    await peer;
    h.signals.emit('SIGTERM');
    expect(await run).toBe(0);
  });

  it('tells why it was refused', async () => {
    const { h } = await owner();
    h.onUpgrade = (_request, socket) => {
      const body = '{"error":{"code":"credential_revoked","message":"This key was revoked."}}';
      socket.end(`HTTP/1.1 401 Unauthorized\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
    };
    expect(await h.run('stdio')).toBe(5);
    expect(h.stderr.all).toContain('The gateway refused the connection: This key was revoked.');
  });

  it('names the missing key file', async () => {
    const { h } = await owner();
    rmSync(join(h.dataDir, 'agent.key'));
    expect(await h.run('stdio')).toBe(5);
    expect(h.stderr.all).toContain(join(h.dataDir, 'agent.key'));
    expect(h.stderr.all).toContain('on one that has keys already, make one with "stockpulse keys create NAME"');
  });
});

/** A running owner of which every connection is handed to the test. */
async function owners(): Promise<{ h: Harness; next: () => Promise<Talk> }> {
  const h = (harness = await new Harness().running());
  const come: Talk[] = [];
  h.onUpgrade = (_request, socket) => {
    socket.on('error', () => {});
    socket.write(SWITCH);
    come.push(new Talk(socket));
  };
  return {
    h,
    async next() {
      while (come.length === 0) await pause(5);
      return come.shift() as Talk;
    },
  };
}

/** The owner's end of one connection. */
class Talk {
  readonly socket: Duplex;
  #text = '';

  constructor(socket: Duplex) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => (this.#text += chunk.toString()));
  }

  say(message: object): void {
    this.socket.write(`${JSON.stringify(message)}\n`);
  }

  /** The first messages of the host. */
  async heard(count: number): Promise<unknown[]> {
    for (;;) {
      const lines = this.#text.split('\n').slice(0, -1);
      if (lines.length >= count) return lines.map((line) => JSON.parse(line) as unknown);
      await pause(5);
    }
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const linesOf = (h: Harness): unknown[] =>
  h.stdout.all
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as unknown);

async function hostHears(h: Harness, count: number): Promise<unknown[]> {
  while (linesOf(h).length < count) await pause(5);
  return linesOf(h);
}

const ask = (id: number | string, method: string, params: object = {}) => ({ jsonrpc: '2.0', id, method, params });
const tell = (method: string, params: object = {}) => ({ jsonrpc: '2.0', method, params });
const answer = (id: number | string, result: object = {}) => ({ jsonrpc: '2.0', id, result });

describe('stdio whose gateway goes away', () => {
  const hostSays = (h: Harness, ...messages: object[]): void => {
    for (const message of messages) h.stdin.write(`${JSON.stringify(message)}\n`);
  };

  it('answers what is open, and goes on with the next one as if nothing had happened', async () => {
    const { h, next } = await owners();
    const run = h.run('stdio');
    const first = await next();
    const session = [ask(0, 'initialize', { protocolVersion: '2025-11-25' }), tell('notifications/initialized')];
    hostSays(h, ...session);
    first.say(answer(0, { serverInfo: {} }));
    await hostHears(h, 1);
    hostSays(h, ask(1, 'logging/setLevel'), ask(2, 'resources/subscribe', { uri: 'a:b' }), ask(3, 'resources/subscribe', { uri: 'c:d' }));
    hostSays(h, ask(4, 'resources/unsubscribe', { uri: 'c:d' }));
    for (const id of [1, 2, 3, 4]) first.say(answer(id));
    hostSays(
      h,
      ask('call', 'tools/call', { name: 'x' }),
      ask(5, 'tools/list'),
      ask(6, 'tools/call'),
      tell('notifications/cancelled', { requestId: 6 }),
    );
    first.say(ask(77, 'roots/list'));
    await first.heard(10);
    await hostHears(h, 6);
    first.socket.write('{"jsonrpc":"2.0","id":5,"resu');
    await pause(20);
    first.socket.destroy();
    const second = await next();
    // The session, in its order, and nothing that was answered.
    expect(await second.heard(4)).toEqual([...session, ask(1, 'logging/setLevel'), ask(2, 'resources/subscribe', { uri: 'a:b' })]);
    for (const id of [0, 1, 2]) second.say(answer(id));
    hostSays(h, ask(7, 'tools/call'));
    expect((await second.heard(5)).at(-1)).toEqual(ask(7, 'tools/call'));
    second.say(answer(7, { content: [] }));
    const lost = (await hostHears(h, 10)).slice(6);
    expect(lost).toEqual([
      tell('notifications/cancelled', { requestId: 77, reason: 'The gateway went away.' }),
      {
        jsonrpc: '2.0',
        id: 'call',
        error: {
          code: 5020,
          message: 'The gateway went away before it answered. Its outcome is unknown: find out before you send it again.',
          data: { code: 'outcome_unknown', executed: 'unknown', retryable: false },
        },
      },
      {
        jsonrpc: '2.0',
        id: 5,
        error: {
          code: 5020,
          message: 'The gateway went away before it answered. Send the request again.',
          data: { code: 'upstream_unavailable', executed: 'unknown', retryable: true },
        },
      },
      answer(7, { content: [] }),
    ]);
    h.stdin.end();
    await once(second.socket, 'end');
    second.socket.end();
    expect(await run).toBe(0);
    expect(h.stderr.all).toContain('The gateway went away: looking for another one');
  });

  it('has initialize answered by the next one, if the first had not', async () => {
    const { h, next } = await owners();
    const run = h.run('stdio');
    const first = await next();
    hostSays(h, ask('i', 'initialize'));
    h.stdin.write('{"jsonrpc":"2.0",');
    await first.heard(1);
    first.socket.destroy();
    const second = await next();
    expect(await second.heard(1)).toEqual([ask('i', 'initialize')]);
    second.say(answer('i'));
    h.stdin.write('"id":2,"method":"ping"}\n');
    expect((await second.heard(2))[1]).toEqual({ jsonrpc: '2.0', id: 2, method: 'ping' });
    expect(await hostHears(h, 1)).toEqual([answer('i')]);
    h.stdin.end();
    await once(second.socket, 'end');
    second.socket.end();
    expect(await run).toBe(0);
  });

  it('becomes the gateway if none is left, and tells itself the session', async () => {
    const { h, next } = await owners();
    const run = h.run('stdio');
    const first = await next();
    hostSays(h, ask(0, 'initialize'), tell('notifications/initialized'));
    first.say(answer(0));
    await hostHears(h, 1);
    await first.heard(2);
    let told = '';
    h.serveStdio = async (input, output) => {
      input.on('data', (chunk: Buffer) => (told += chunk.toString()));
      output.write(`${JSON.stringify(answer(0))}\n${JSON.stringify(answer(1))}\n`);
      await once(input, 'end');
    };
    h.owner = undefined;
    first.socket.destroy();
    while (!h.stderr.all.includes('taking its place')) await pause(5);
    hostSays(h, ask(1, 'ping'));
    expect(await hostHears(h, 2)).toEqual([answer(0), answer(1)]);
    h.stdin.end();
    expect(await run).toBe(0);
    expect(
      told
        .split('\n')
        .slice(0, 3)
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([ask(0, 'initialize'), tell('notifications/initialized'), ask(1, 'ping')]);
    expect(h.closed).toBe(1);
  });

  it('waits while the old one closes and takes nobody', async () => {
    const { h, next } = await owners();
    const run = h.run('stdio');
    const first = await next();
    const accept = h.onUpgrade;
    let refusals = 0;
    h.onUpgrade = (request, socket) => {
      if (++refusals > 2) return accept(request, socket);
      socket.end('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
    };
    first.socket.destroy();
    const second = await next();
    h.stdin.end();
    await once(second.socket, 'end');
    second.socket.end();
    expect(await run).toBe(0);
    expect(refusals).toBe(3);
  });

  it('exits with 5 and says so if each goes away at once', async () => {
    const { h } = await owners();
    h.onUpgrade = (_request, socket) => {
      socket.on('error', () => {});
      socket.write(SWITCH, () => socket.destroy());
    };
    expect(await h.run('stdio')).toBe(5);
    expect(h.stderr.all).toContain('The gateway went away.');
    expect(h.stdout.all).toBe('');
  });

  it('passes on lines that are too long to look into, and nothing of one whose gateway is gone', async () => {
    const { h, next } = await owners();
    const run = h.run('stdio');
    const first = await next();
    let bytes = 0;
    first.socket.on('data', (chunk: Buffer) => (bytes += chunk.length));
    const half = 'x'.repeat(5_000_000);
    h.stdin.write(half);
    while (bytes < half.length) await pause(5);
    first.socket.destroy();
    const second = await next();
    h.stdin.write(`${half}\n`);
    hostSays(h, ask(1, 'ping'));
    expect(await second.heard(1)).toEqual([ask(1, 'ping')]);
    h.stdin.end();
    await once(second.socket, 'end');
    second.socket.end();
    expect(await run).toBe(0);
  });
});

describe('stdio as the owner', () => {
  it('serves until stdin ends, then closes; the keys go to a file, never to stdout', async () => {
    const h = (harness = new Harness());
    h.firstKeys = { agent: 'AGENT', approver: 'APPROVER' };
    let server: string | undefined;
    h.serveStdio = async (input, output, options) => {
      server = options?.server;
      output.write('{}\n');
      await once(input.resume(), 'end');
    };
    const run = h.run('stdio', '--server', 'files');
    h.stdin.end();
    expect(await run).toBe(0);
    expect(server).toBe('files');
    expect(h.closed).toBe(1);
    expect(h.stdout.all).toBe('{}\n');
    expect(h.stderr.all).toContain('first-keys.txt');
    expect(h.stderr.all).not.toMatch(/AGENT|APPROVER/);
  });

  it('takes a free port if the configured one is in use', async () => {
    const h = (harness = new Harness());
    h.startErrors.push(appError('port_in_use', 'taken'));
    const run = h.run('stdio');
    h.stdin.end();
    expect(await run).toBe(0);
    expect(h.ports).toEqual([8080, 0]);
  });

  it('relays to the winner if another one started at the same time', async () => {
    const { h, peer } = await owner();
    const { owner: winner } = h;
    h.owner = undefined;
    h.startErrors.push(appError('already_running', 'x'));
    const run = h.run('stdio');
    h.owner = winner;
    const { socket } = await peer;
    h.stdin.end();
    socket.end();
    expect(await run).toBe(0);
  });

  it('a signal closes it', async () => {
    const h = (harness = new Harness());
    const run = h.run('stdio');
    await new Promise((done) => setImmediate(done));
    h.signals.emit('SIGINT');
    expect(await run).toBe(0);
    expect(h.closed).toBe(1);
  });
});
