import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { callLeg, retryOf } from '../isolation/caller.ts';
import { GatewayHere } from '../support/gateway-here.ts';
import { endGateways, tempFolder } from '../support/gateway-process.ts';
import { bearer } from '../support/mcp-wire.ts';
import { filesystemServer } from '../support/paths.ts';
import { PATIENCE_MS, until } from '../support/until.ts';

/** server-filesystem without folders of its own: what it may touch are the roots of whoever calls (PROTOCOL A2). */

let gateway: GatewayHere;
let folders: readonly [string, string, string];

beforeAll(async () => {
  const parent = await tempFolder();
  folders = [join(parent, 'a'), join(parent, 'b'), join(parent, 'c')];
  for (const folder of folders) await mkdir(folder);
  const files = { command: process.execPath, args: [filesystemServer()] };
  gateway = await GatewayHere.start({ files, configured: { ...files, roots: [folders[2]] } });
}, PATIENCE_MS * 2);

afterAll(async () => {
  await gateway.close();
  await endGateways();
}, PATIENCE_MS);

const rootsOf = (folder: string): object => ({ roots: [{ uri: pathToFileURL(folder).href }] });
const allowed = (folder: string): string => `Allowed directories:\n${folder}`;
const LIST = { name: 'list_allowed_directories', arguments: {} };

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly result?: { readonly content?: readonly { readonly text: string }[]; readonly isError?: boolean };
}

/** A legacy client over WebSocket that has one folder as its root, if any. */
class Client {
  folder: string;
  asked = 0;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (message: Message) => void>();
  #id = 0;

  private constructor(socket: WebSocket, folder: string) {
    this.#socket = socket;
    this.folder = folder;
    socket.on('message', (data: Buffer) => this.#take(JSON.parse(data.toString('utf8')) as Message));
  }

  static async open(server: string, folder = ''): Promise<Client> {
    const url = `${gateway.url.replace('http', 'ws')}/mcp/${server}`;
    const socket = new WebSocket(url, ['mcp'], { headers: bearer(gateway.key) });
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    const client = new Client(socket, folder);
    const capabilities = folder === '' ? {} : { roots: { listChanged: true } };
    const clientInfo = { name: 'roots', version: '1' };
    await client.request('initialize', { protocolVersion: '2025-11-25', capabilities, clientInfo });
    client.say({ method: 'notifications/initialized' });
    return client;
  }

  say(message: object): void {
    this.#socket.send(JSON.stringify({ jsonrpc: '2.0', ...message }));
  }

  request(method: string, params: object): Promise<Message> {
    const id = ++this.#id;
    this.say({ id, method, params });
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  async call(name: string, args: object = {}): Promise<string> {
    const { result } = await this.request('tools/call', { name, arguments: args });
    return result?.content?.[0]?.text ?? '';
  }

  close(): void {
    this.#socket.close();
  }

  #take({ id, method, ...message }: Message): void {
    if (method === undefined) return this.#waiting.get(id ?? 0)?.({ ...message });
    if (method !== 'roots/list') return;
    this.asked++;
    this.say({ id, result: rootsOf(this.folder) });
  }
}

describe('server-filesystem without folders', () => {
  it('works in the roots of each session, from its first call on, and in no other', async () => {
    const [a, b] = [await Client.open('files', folders[0]), await Client.open('files', folders[1])];
    expect(await a.call(LIST.name)).toBe(allowed(folders[0]));
    expect(await b.call(LIST.name)).toBe(allowed(folders[1]));
    expect(await a.call('write_file', { path: join(folders[0], 'x'), content: 'x' })).toMatch(/^Successfully wrote/);
    expect(await b.call('read_text_file', { path: join(folders[0], 'x') })).toMatch(/^Access denied/);
    expect(await a.call(LIST.name)).toBe(allowed(folders[0]));
    expect([a.asked, b.asked]).toEqual([1, 1]);
    a.folder = folders[2];
    a.say({ method: 'notifications/roots/list_changed' });
    await until('asked again', () => Promise.resolve(a.asked === 2));
    expect(await a.call(LIST.name)).toBe(allowed(folders[2]));
    expect(await b.call(LIST.name)).toBe(allowed(folders[1]));
    a.close();
    b.close();
    await until('no leases', async () => (await gateway.holds('upstream_leases:files')) === 0);
  });

  it('works in the roots of each modern call', async () => {
    for (const folder of [folders[0], folders[1]]) {
      const first = await callLeg(gateway.wire('files'), LIST);
      const asked = Object.entries(first.last.result?.inputRequests ?? {});
      expect(asked.map(([, { method }]) => method)).toEqual(['roots/list']);
      const answers = Object.fromEntries(asked.map(([key]) => [key, rootsOf(folder)]));
      expect((await callLeg(gateway.wire('files'), retryOf(LIST, first, answers))).text).toBe(allowed(folder));
    }
  });

  it('works in the configured roots for a client without any', async () => {
    const client = await Client.open('configured');
    expect(await client.call(LIST.name)).toBe(allowed(folders[2]));
    client.close();
  });
});
