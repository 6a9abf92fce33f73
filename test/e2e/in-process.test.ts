import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, expect, it } from 'vitest';
import { startGatewayHere } from '../support/gateway-app.ts';
import { endGateways, tempFolder } from '../support/gateway-process.ts';
import { McpWire, modernRequest } from '../support/mcp-wire.ts';
import { PATIENCE_MS, until } from '../support/until.ts';
import { fixtureStdio } from '../support/upstreams.ts';
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
  'answers what its own stdio client waits for when it is closed, at once if that comes in time and in the end in any case',
  async () => {
    const dataDir = await tempFolder();
    await writeFile(join(dataDir, 'stockpulse.yaml'), JSON.stringify({ mcpServers: { one: fixtureStdio({ era: 'legacy' }) } }));
    const gateway = await startGatewayHere(dataDir, {}, { graceMs: 1_000 });
    const [input, output] = [new PassThrough(), new PassThrough()];
    const said = text(output);
    const served = gateway.serveStdio(input, output, { server: 'one' });
    const call = (id: number, name: string, args: object): boolean => {
      const { body } = modernRequest('tools/call', { name, arguments: args }, id);
      return input.write(`${JSON.stringify(body)}\n`);
    };
    call(1, 'echo', { text: 'connected' });
    await once(output, 'readable');
    call(2, 'slow', { ms: 500 });
    call(3, 'hang', {});
    await until('the calls are under way', async () => {
      const metrics = await ask(`${gateway.url}/metrics`, { method: 'GET' });
      return /name="calls_in_flight"\} 2$/m.test(metrics.text);
    });
    await gateway.close();
    await served;
    output.end();
    const answers = new Map(
      (await said)
        .trim()
        .split('\n')
        .map((line) => [(JSON.parse(line) as { id: number }).id, line]),
    );
    expect(answers.get(2)).toContain('"text":"done"');
    expect(answers.get(3)).toContain('outcome_unknown');
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
