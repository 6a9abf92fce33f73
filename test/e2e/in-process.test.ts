import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, expect, it } from 'vitest';
import { startGatewayHere } from '../support/gateway-app.ts';
import { endGateways, tempFolder } from '../support/gateway-process.ts';
import { McpWire } from '../support/mcp-wire.ts';
import { PATIENCE_MS } from '../support/until.ts';
import { ask } from '../support/wire.ts';

afterAll(endGateways, PATIENCE_MS);

it(
  'starts and closes again and again in one process; its keys and its owner stay the same',
  async () => {
    const dataDir = await tempFolder();
    let key = '';
    for (let round = 0; round < 3; round++) {
      const gateway = await startGatewayHere(dataDir);
      expect(gateway.firstKeys === undefined).toBe(round > 0);
      key = gateway.firstKeys?.agent ?? key;
      expect((await new McpWire(`${gateway.url}/mcp`, key).modern('tools/list')).status).toBe(200);
      await expect(startGatewayHere(dataDir)).rejects.toMatchObject({ code: 'already_running' });
      await gateway.close();
      await expect(ask(`${gateway.url}/healthz`, { method: 'GET' })).rejects.toThrow(/ECONNREFUSED/);
    }
  },
  PATIENCE_MS * 2,
);

it(
  'a port that is taken stops the start, names the holder, and frees the folder',
  async () => {
    const [first, second] = [await tempFolder(), await tempFolder()];
    const gateway = await startGatewayHere(first);
    const { port } = new URL(gateway.url);
    await expect(startGatewayHere(second, { PORT: port })).rejects.toMatchObject({
      code: 'port_in_use',
      message: expect.stringMatching(/PORT=/) as string,
    });
    const other = await startGatewayHere(second);
    await Promise.all([gateway.close(), other.close()]);
  },
  PATIENCE_MS * 2,
);

it(
  'serves a stdio client of its own process',
  async () => {
    const gateway = await startGatewayHere(await tempFolder());
    const [input, output] = [new PassThrough(), new PassThrough()];
    const said = text(output);
    input.end('{"jsonrpc":"2.0","id":1,"method":"ping"}\n');
    await gateway.serveStdio(input, output, { server: 'stockpulse' });
    output.end();
    expect(await said).toBe('{"jsonrpc":"2.0","id":1,"result":{}}\n');
    await expect(gateway.serveStdio(new PassThrough(), new PassThrough(), { server: 'nobody' })).rejects.toThrow(/nobody/);
    await gateway.close();
  },
  PATIENCE_MS * 2,
);
