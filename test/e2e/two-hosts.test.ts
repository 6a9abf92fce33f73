import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { formatOptions, STDIO_UPSTREAM } from '../fixtures/upstreams/index.ts';
import { endGateways, tempFolder } from '../support/gateway-process.ts';
import { modernMeta } from '../support/mcp-wire.ts';
import { LAUNCHER } from '../support/paths.ts';
import { MARK, newMark } from '../support/process-marks.ts';
import { OwnedProcess } from '../support/processes.ts';
import { until } from '../support/until.ts';

const PATIENCE_MS = 90_000;

interface Message {
  readonly id?: unknown;
  readonly result?: { readonly content?: readonly { readonly text?: string }[] };
  readonly error?: { readonly code: number; readonly data?: unknown };
}

/** A desktop host and the `stockpulse stdio` that it started. */
class Host {
  readonly process: OwnedProcess;

  constructor(folder: string, mark: string) {
    const env = { STOCKPULSE_DATA_DIR: folder, STOCKPULSE_CONFIG: join(folder, 'stockpulse.yaml'), PORT: '0', [MARK]: mark };
    const options = { env, cwd: folder, stdin: true, group: true };
    this.process = new OwnedProcess(process.execPath, [LAUNCHER, 'stdio', '--server', 'fixture'], options);
  }

  say(id: number | undefined, method: string, params: object): void {
    this.process.write(`${JSON.stringify({ jsonrpc: '2.0', ...(id === undefined ? {} : { id }), method, params })}\n`);
  }

  get messages(): Message[] {
    const lines = this.process.stdout.split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Message);
  }

  async answer(id: number): Promise<Message> {
    return until(`an answer to ${id}`, () => this.messages.find((message) => message.id === id), PATIENCE_MS);
  }

  async answers(id: number, method: string, params: object): Promise<Message> {
    this.say(id, method, params);
    return this.answer(id);
  }
}

const eras = {
  legacy: {
    meta: {},
    async open(host: Host) {
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'host', version: '1' } };
      expect(await host.answers(0, 'initialize', params)).toMatchObject({ result: { protocolVersion: '2025-11-25' } });
      host.say(undefined, 'notifications/initialized', {});
    },
  },
  modern: {
    meta: { _meta: modernMeta() },
    async open(host: Host) {
      expect(await host.answers(0, 'server/discover', { _meta: modernMeta() })).toHaveProperty('result');
    },
  },
} as const;

/** Ends the first host's gateway with everything that it started, as a crash does, or lets it go. */
const endings = {
  async 'killed with -9'(host: Host) {
    host.process.signal('SIGKILL');
    await host.process.ended;
  },
  async 'that ends'(host: Host) {
    host.process.endInput();
    expect((await host.process.ending()).code).toBe(0);
  },
} as const;

afterEach(endGateways, PATIENCE_MS);

describe.each(['legacy', 'modern'] as const)('two hosts of the %s era on one data folder', (era) => {
  it.each(['killed with -9', 'that ends'] as const)('the second survives the first, %s', { timeout: 2 * PATIENCE_MS }, async (how) => {
    const folder = await tempFolder();
    const server = { command: process.execPath, args: [STDIO_UPSTREAM, ...formatOptions({ era: 'dual' })] };
    await writeFile(join(folder, 'stockpulse.yaml'), JSON.stringify({ mcpServers: { fixture: server } }));
    const { meta } = eras[era];
    const first = new Host(folder, newMark());
    await eras[era].open(first);
    const second = new Host(folder, newMark());
    await eras[era].open(second);
    const echo = async (id: number): Promise<string | undefined> => {
      const { result } = await second.answers(id, 'tools/call', { name: 'echo', arguments: { text: `text ${id}` }, ...meta });
      return result?.content?.[0]?.text;
    };
    expect(await echo(1)).toContain('text 1');
    expect(second.process.stderr).not.toContain('this process serves it');
    second.say(2, 'tools/call', { name: 'hang', arguments: {}, ...meta });
    expect(await echo(3)).toContain('text 3');
    await endings[how](first);
    await second.answer(2);
    await second.process.printed('stderr', /this process serves it/, PATIENCE_MS);
    // The new gateway has to reach its servers first.
    let id = 10;
    const text = await until('the second host is served again', async () => echo(++id), PATIENCE_MS);
    expect(text).toContain(`text ${id}`);
    const answered = second.messages.flatMap((message) => ('id' in message ? [message.id] : []));
    expect(answered.filter((each) => each === 0 || each === 2)).toEqual([0, 2]);
    if (how === 'killed with -9')
      expect(await second.answer(2)).toMatchObject({ error: { code: 5020, data: { code: 'outcome_unknown', retryable: false } } });
    second.process.endInput();
    expect((await second.process.ending()).code).toBe(0);
  });
});
