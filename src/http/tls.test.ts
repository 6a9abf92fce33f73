import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { connect } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bearer, SECRET, startHost } from './test-support.ts';

let folder: string;
let cert: string;
let key: string;
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sp-tls-'));
  [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    key,
    '-out',
    cert,
    ...subject,
  ]);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function post(port: number): Promise<{ status: number; text: string }> {
  const ca = await readFile(cert);
  const sent = request({
    host: '127.0.0.1',
    servername: 'localhost',
    port,
    ca,
    path: '/mcp',
    method: 'POST',
    headers: bearer(SECRET.agent),
    agent: false,
  });
  sent.end('{}');
  const [response] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { statusCode?: number }];
  let text = '';
  response.on('data', (chunk: Buffer) => (text += chunk.toString()));
  await once(response, 'end');
  return { status: response.statusCode ?? 0, text };
}

describe.skipIf(!hasOpenssl)(`TLS${hasOpenssl ? '' : ' (skipped: no openssl to make a certificate with)'}`, () => {
  it('serves from files or from PEM text, behind the same guards', async () => {
    const text = { cert: await readFile(cert, 'utf8'), key: await readFile(key, 'utf8') };
    for (const tls of [{ cert, key }, text]) {
      const { host, port, url } = await startHost({ tls });
      expect(url).toBe(`https://127.0.0.1:${port}`);
      expect(await post(port)).toMatchObject({ status: 200, text: expect.stringContaining('"client":"agent"') });
      await host.close(0);
    }
  });

  it('survives plain HTTP and garbage on its port', async () => {
    const { host, port } = await startHost({ tls: { cert, key } });
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n');
    socket.resume();
    await once(socket, 'close');
    expect((await post(port)).status).toBe(200);
    await host.close(0);
  });
});
