import { ask, textAt, type Json, type Reply } from './wire.ts';

export const MODERN = '2026-07-28';
export const META_VERSION = 'io.modelcontextprotocol/protocolVersion';
export const META_CAPABILITIES = 'io.modelcontextprotocol/clientCapabilities';
export const META_INFO = 'io.modelcontextprotocol/clientInfo';

export const JSON_HEADERS: Readonly<Record<string, string>> = {
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
};

export const bearer = (key: string): Readonly<Record<string, string>> => ({ authorization: `Bearer ${key}` });

/** `_meta` of a modern request. */
export const modernMeta = (version: string = MODERN): object => ({
  [META_VERSION]: version,
  [META_CAPABILITIES]: {},
  [META_INFO]: { name: 'wire-test', version: '1' },
});

/** A modern request: body and the headers that mirror it. */
export function modernRequest(method: string, params: Readonly<Record<string, unknown>> = {}, id: string | number = 1) {
  const name = method === 'tools/call' ? { 'mcp-name': String(params.name) } : {};
  return {
    headers: { ...JSON_HEADERS, 'mcp-protocol-version': MODERN, 'mcp-method': method, ...name },
    body: { jsonrpc: '2.0', id, method, params: { _meta: modernMeta(), ...params } },
  };
}

/** Speaks to one MCP endpoint by hand, byte for byte as told. */
export class McpWire {
  readonly url: string;
  readonly key: string;

  constructor(url: string, key: string) {
    this.url = url;
    this.key = key;
  }

  post(body: string | Buffer, headers: Readonly<Record<string, string | string[]>> = {}): Promise<Reply> {
    return ask(this.url, { headers: { ...JSON_HEADERS, ...bearer(this.key), ...headers }, body });
  }

  modern(method: string, params: Readonly<Record<string, unknown>> = {}, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    const { headers: mirrored, body } = modernRequest(method, params);
    return this.post(JSON.stringify(body), { ...mirrored, ...headers });
  }

  call(name: string, args: unknown, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    return this.modern('tools/call', { name, arguments: args }, headers);
  }

  /** Opens a legacy session. */
  async open(revision: string, capabilities: object = {}): Promise<LegacySession> {
    const params = { protocolVersion: revision, capabilities, clientInfo: { name: 'wire-test', version: '1' } };
    const reply = await this.post(JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'initialize', params }));
    const id = reply.headers['mcp-session-id'];
    if (reply.status !== 200 || typeof id !== 'string') throw new Error(`initialize failed: ${reply.status} ${reply.text}`);
    const session = new LegacySession(this, id, textAt(reply.json?.result?.protocolVersion));
    await session.post(JSON.stringify({ jsonrpc: '2.0', method: 'notifications/initialized' }));
    return session;
  }
}

/** A legacy session opened by hand. */
export class LegacySession {
  readonly wire: McpWire;
  readonly id: string;
  readonly revision: string;
  #next = 1;

  constructor(wire: McpWire, id: string, revision: string) {
    this.wire = wire;
    this.id = id;
    this.revision = revision;
  }

  get headers(): Readonly<Record<string, string>> {
    // The header came with 2025-06-18.
    return { 'mcp-session-id': this.id, ...(this.revision >= '2025-06-18' ? { 'mcp-protocol-version': this.revision } : {}) };
  }

  post(body: string, headers: Readonly<Record<string, string>> = {}): Promise<Reply> {
    return this.wire.post(body, { ...this.headers, ...headers });
  }

  request(method: string, params: unknown = {}): Promise<Reply> {
    return this.post(JSON.stringify({ jsonrpc: '2.0', id: this.#next++, method, params }));
  }

  call(name: string, args: unknown): Promise<Reply> {
    return this.request('tools/call', { name, arguments: args });
  }

  end(): Promise<Reply> {
    return ask(this.wire.url, { method: 'DELETE', headers: { ...bearer(this.wire.key), ...this.headers } });
  }
}

/** The error member of a JSON-RPC answer, or undefined. */
export function errorOf(reply: Reply): { code: number; message: string; data?: Json } | undefined {
  return reply.json?.error as unknown as { code: number; message: string; data?: Json } | undefined;
}

/** Names in a tools/list answer. */
export function toolNames(reply: Reply): string[] {
  const tools = (reply.json?.result?.tools ?? []) as unknown as { name: string }[];
  return tools.map(({ name }) => name);
}

/** The first text part of a tool result. */
export function textOf(reply: Reply): string {
  const content = reply.json?.result?.content as unknown as { text?: string }[] | undefined;
  return content?.[0]?.text ?? '';
}
