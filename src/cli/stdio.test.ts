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

  it('exits with 5 and says so if the owner goes away', async () => {
    const { h, peer } = await owner();
    const run = h.run('stdio');
    (await peer).socket.destroy();
    expect(await run).toBe(5);
    expect(h.stderr.all).toContain('The gateway went away.');
    expect(h.stdout.all).toBe('');
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
