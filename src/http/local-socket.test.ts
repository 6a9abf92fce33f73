import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bearer, makeHost, SECRET, send, startHost, type Running } from './test-support.ts';

let folder: string;
const started: Running[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sp-http-'));
});
afterEach(async () => {
  await Promise.all(started.splice(0).map(({ host }) => host.close(0)));
  await rm(folder, { recursive: true, force: true });
});

async function start(socketPath: string): Promise<Running> {
  const running = await startHost({ socketPath });
  started.push(running);
  return running;
}

describe('the local socket', () => {
  it('is 0600, makes its caller the operator, and is gone after close', async () => {
    const path = join(folder, 'admin.sock');
    const { host, socketPath } = await start(path);
    expect(socketPath).toBe(path);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await readdir(folder)).toEqual(['admin.sock']);
    expect((await send({ socketPath: path, path: '/admin/v1/who' })).json()).toEqual({ id: 'local' });
    expect((await send({ socketPath: path, path: '/healthz' })).status).toBe(200);
    expect((await send({ socketPath: path, path: '/mcp', method: 'POST' })).status).toBe(404);
    await host.close(0);
    expect(await readdir(folder)).toEqual([]);
  });

  it('replaces a socket that a crash left behind, and nothing else', async () => {
    const path = join(folder, 'admin.sock');
    const left = createServer().listen(path);
    await once(left, 'listening');
    await expect(makeHost({ socketPath: path }).host.listen()).rejects.toMatchObject({ code: 'socket_in_use' });
    await new Promise((resolve) => left.close(resolve));
    await writeFile(path, 'mine');
    await expect(makeHost({ socketPath: path }).host.listen()).rejects.toMatchObject({ code: 'socket_path_taken' });
    await rm(path);
    expect((await start(path)).socketPath).toBe(path);
  });

  it('goes to the temporary folder if the path is too long for the kernel', async () => {
    const deep = join(folder, 'd'.repeat(120));
    await mkdir(deep);
    const { host, socketPath } = await start(join(deep, 'admin.sock'));
    expect(socketPath?.startsWith(deep)).toBe(false);
    expect((await stat(join(socketPath ?? '', '..'))).mode & 0o777).toBe(0o700);
    expect((await send({ socketPath, path: '/admin/v1/who' })).json()).toEqual({ id: 'local' });
    await host.close(0);
    await expect(stat(join(socketPath ?? '', '..'))).rejects.toThrow(/ENOENT/);
  });

  it('can be served without the public listener', async () => {
    const { host } = makeHost({ socketPath: join(folder, 's.sock') });
    const socketPath = await host.listenLocal();
    expect((await send({ socketPath, path: '/admin/v1/who' })).status).toBe(200);
    await host.close(0);
  });
});

interface Upgraded {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly socket?: Duplex;
  readonly text: string;
}

function upgrade(socketPath: string, headers: Record<string, string>): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, path: '/mcp', agent: false, headers: { connection: 'Upgrade', ...headers } });
    request.on('upgrade', (response, socket) => resolve({ status: 101, headers: response.headers, socket, text: '' }));
    request.on('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    request.on('error', reject);
    request.end();
  });
}

describe('upgrades on the local socket', () => {
  it('pass the mcp guard, then belong to the handler until close', async () => {
    const path = join(folder, 's.sock');
    const { host, socketPath } = await start(path);
    const seen: string[] = [];
    host.onLocalUpgrade('mcp-stdio', ({ principal, request, accept }) => {
      seen.push(`${principal.client} ${request.url}`);
      const socket = accept();
      socket.pipe(socket);
    });
    const ask = (headers: Record<string, string>) => upgrade(socketPath ?? '', headers);
    const missing = await ask({ upgrade: 'mcp-stdio' });
    expect([missing.status, missing.headers['www-authenticate']]).toEqual([401, 'Bearer realm="StockPulse MCP"']);
    expect(JSON.parse(missing.text)).toMatchObject({ id: null, error: { code: 4010 } });
    expect((await ask({ upgrade: 'mcp-stdio', ...bearer(SECRET.approver) })).status).toBe(403);
    expect((await ask({ upgrade: 'other', ...bearer(SECRET.agent) })).status).toBe(426);
    const { status, socket } = await ask({ upgrade: 'mcp-stdio', ...bearer(SECRET.agent) });
    expect([status, seen]).toEqual([101, ['agent /mcp']]);
    socket?.write('hello\n');
    expect(String((await once(socket as Duplex, 'data'))[0])).toBe('hello\n');
    const ended = once(socket as Duplex, 'close');
    await host.close(20);
    await ended;
  });

  it('are told when the host begins to close, and may end by themselves', async () => {
    const { host, socketPath, events } = await start(join(folder, 's.sock'));
    host.onLocalUpgrade('mcp-stdio', ({ accept, closing }) => {
      const socket = accept();
      closing.addEventListener('abort', () => socket.end('bye\n'), { once: true });
    });
    const { socket } = await upgrade(socketPath ?? '', { upgrade: 'mcp-stdio', ...bearer(SECRET.agent) });
    let text = '';
    socket?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    socket?.on('end', () => socket.end());
    await host.close(60_000);
    expect(text).toBe('bye\n');
    expect(events).not.toContainEqual(expect.objectContaining({ kind: 'forced_close' }));
  });

  it('are refused by the handler in JSON-RPC shape, and beyond the cap with 503', async () => {
    const running = await startHost({ socketPath: join(folder, 's.sock'), limits: { upgrades: 1 } });
    started.push(running);
    running.host.onLocalUpgrade('none', ({ refuse }) => refuse({ code: 'endpoint_not_found', message: 'No such endpoint.' }));
    running.host.onLocalUpgrade('keep', ({ accept }) => void accept());
    const ask = (protocol: string) => upgrade(running.socketPath ?? '', { upgrade: protocol, ...bearer(SECRET.agent) });
    const refused = await ask('none');
    expect([refused.status, JSON.parse(refused.text)]).toMatchObject([404, { error: { code: 4040, message: 'No such endpoint.' } }]);
    const kept = await ask('keep');
    const full = await ask('keep');
    expect([kept.status, full.status, full.headers['retry-after']]).toEqual([101, 503, '1']);
    kept.socket?.destroy();
  });
});
