import { afterEach, describe, expect, it, vi } from 'vitest';
import { kit, stdioConfig, type Kit } from './test-kit.ts';

let running: Kit | undefined;

afterEach(() => running?.end());

async function started(): Promise<Kit> {
  running = await kit([stdioConfig('a', [], { era: 'legacy', args: ['-e', ANSWERS] })]);
  await running.manager.start();
  return running;
}

/** A legacy server whose answers to calls are what the test says; `ID` in it is the call's id. */
const ANSWERS = `
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  const say = (result) => console.log(JSON.stringify({ jsonrpc: '2.0', id, result }));
  if (id === undefined || method === undefined) return;
  if (method === 'initialize') say({ protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo: { name: 'a', version: '1' } });
  if (method === 'tools/list') say({ tools: [{ name: 'answer', inputSchema: { type: 'object' } }, { name: 'heard', inputSchema: { type: 'object' } }] });
  if (method !== 'tools/call') return;
  if (params.name === 'answer') console.log(params.arguments.text.replaceAll('ID', id));
  else say({ content: [{ type: 'text', text: String(globalThis.heard ?? 'nothing') }] });
}).on('line', (line) => { if (JSON.parse(line).method === undefined) globalThis.heard = line; });
`;

describe('an answer that breaks JSON-RPC', () => {
  it.each([
    ['no object as result', '{"jsonrpc":"2.0","id":ID,"result":null}'],
    ['neither result nor error', '{"jsonrpc":"2.0","id":ID}'],
    ['another version', '{"jsonrpc":"1.0","id":ID,"result":{}}'],
    ['its id twice', '{"jsonrpc":"2.0","id":ID,"id":ID,"result":{}}'],
    ['too deep', `{"jsonrpc":"2.0","id":ID,"result":{"deep":${'['.repeat(200)}${']'.repeat(200)}}}`],
  ])('(%s) ends its call at once, and nothing is answered to it', async (_what, text) => {
    const one = await started();
    expect(await one.text('a', 'answer', { text })).toBe('failed upstream_protocol_error unknown');
    expect(await one.text('a', 'heard')).toBe('nothing');
  });

  it('is not read if it is an array, indented or not', async () => {
    const one = await started();
    const parse = vi.spyOn(JSON, 'parse');
    try {
      const text = '[{"id":ID}]\n \t[{"id":ID}]\n \t{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"fine"}]}}';
      expect(await one.text('a', 'answer', { text })).toBe('fine');
      const read = parse.mock.calls.map(([line]) => line.trim());
      expect(read.filter((line) => line.startsWith('['))).toEqual([]);
      expect(read.some((line) => line.includes('fine'))).toBe(true);
    } finally {
      parse.mockRestore();
    }
  });

  it('ends no call if it is a request of the server that happens to have the same id', async () => {
    const one = await started();
    const text = '{"jsonrpc":"1.0","id":ID,"method":"x"}\n{"jsonrpc":"2.0","id":ID,"result":{"content":[{"type":"text","text":"fine"}]}}';
    expect(await one.text('a', 'answer', { text })).toBe('fine');
    expect(await one.text('a', 'heard')).toContain('-32600');
  });
});
