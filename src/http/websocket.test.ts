import { once } from 'node:events';
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { bearer, SECRET, send, startHost, type Running } from './test-support.ts';

let running: Running | undefined;
afterEach(async () => {
  await running?.host.close(50);
  running = undefined;
});

interface Upgraded {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly socket?: Socket;
  readonly text: string;
}

function upgrade(port: number, headers: Record<string, string>, path = '/mcp'): Promise<Upgraded> {
  return new Promise((resolve, reject) => {
    const asked = { connection: 'Upgrade', upgrade: 'websocket', ...headers };
    const request = httpRequest({ host: '127.0.0.1', port, path, agent: false, headers: asked });
    request.on('upgrade', (response, socket: Socket) => resolve({ status: 101, headers: response.headers, socket, text: '' }));
    request.on('response', (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }));
    });
    request.on('error', reject);
    request.end();
  });
}

async function start(limits = {}): Promise<Running & { seen: string[] }> {
  running = await startHost({ limits });
  const seen: string[] = [];
  running.host.onWebSocket(({ principal, request, accept }) => {
    seen.push(`${principal.client} ${request.url}`);
    accept();
  });
  return { ...running, seen };
}

describe('WebSocket upgrades on the public listener', () => {
  it('pass Host, Origin and the mcp guard as requests do, and each refusal is told', async () => {
    const { port, seen, events } = await start();
    const key = bearer(SECRET.agent);
    const status = async (headers: Record<string, string>): Promise<number> => (await upgrade(port, headers)).status;
    expect(await status({ ...key, host: 'evil.example' })).toBe(403);
    expect(await status({ ...key, origin: 'https://evil.example' })).toBe(403);
    expect(await status({})).toBe(401);
    expect(await status(bearer(SECRET.approver))).toBe(403);
    const revoked = await upgrade(port, bearer(SECRET.revoked));
    expect([revoked.status, revoked.headers['www-authenticate']]).toEqual([401, expect.stringContaining('invalid_token') as string]);
    expect(JSON.parse(revoked.text)).toMatchObject({ jsonrpc: '2.0', id: null, error: { code: 4010 } });
    expect(seen).toEqual([]);
    const { status: accepted, socket } = await upgrade(port, { ...key, origin: 'http://localhost:3000' }, '/mcp/x?secret=1');
    expect([accepted, seen]).toEqual([101, ['agent /mcp/x?secret=1']]);
    socket?.destroy();
    expect(events.map((event) => ('code' in event ? event.code : event.kind))).toEqual([
      'host_not_allowed',
      'origin_not_allowed',
      'credential_missing',
      'forbidden',
      'credential_revoked',
    ]);
  });

  it('count against the rate of their key, and are capped', async () => {
    const slow = await start({ requestsPerSecondPerKey: 1, requestBurstPerKey: 1 });
    const first = await upgrade(slow.port, bearer(SECRET.agent));
    const second = await upgrade(slow.port, bearer(SECRET.agent));
    expect([first.status, second.status, second.headers['retry-after']]).toEqual([101, 429, '1']);
    first.socket?.destroy();
    await slow.host.close(0);
    const small = await start({ publicUpgrades: 1 });
    const kept = await upgrade(small.port, bearer(SECRET.agent));
    expect([kept.status, (await upgrade(small.port, bearer(SECRET.agent))).status]).toEqual([101, 503]);
    kept.socket?.destroy();
  });

  it('are destroyed after the grace period', async () => {
    const { port, host } = await start();
    const { socket } = await upgrade(port, bearer(SECRET.agent));
    const ended = once(socket as Socket, 'close');
    await host.close(20);
    await ended;
  });

  it('to anything else are plain requests: programs offer h2c without needing it', async () => {
    const { port, seen } = await start();
    const headers = { ...bearer(SECRET.agent), connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABk' };
    const answer = await send({ port, method: 'POST', path: '/mcp', headers }, '{}');
    expect([answer.status, answer.json(), seen]).toEqual([200, { bytes: 2, client: 'agent', address: '127.0.0.1' }, []]);
  });
});
