import * as fc from 'fast-check';
import { modernMeta } from '../support/mcp-wire.ts';

/** A message as it goes out, and what goes wrong with the headers around it where there are any. */
export interface Attempt {
  readonly text: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

type Json = Readonly<Record<string, unknown>>;

const META = { ...modernMeta(), progressToken: 'p' };
const rpc = (method: string, params: Json = {}): Json => ({ jsonrpc: '2.0', id: 7, method, params });

/** Right messages of either era; each is answered at once. */
const LEGACY: readonly Json[] = [
  rpc('ping'),
  rpc('tools/list'),
  rpc('tools/call', { name: 'echo', arguments: { text: 'legacy' }, _meta: { progressToken: 1 } }),
  rpc('tools/call', { name: 'add', arguments: { a: 1, b: 2 } }),
  rpc('logging/setLevel', { level: 'info' }),
  rpc('prompts/list'),
  rpc('completion/complete', { ref: { type: 'ref/prompt', name: 'x' }, argument: { name: 'a', value: 'b' } }),
  { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 7, reason: 'x' } },
  { jsonrpc: '2.0', id: 3, result: { action: 'accept', content: {} } },
  { jsonrpc: '2.0', id: 'x', error: { code: -32603, message: 'no' } },
];

const MODERN: readonly Json[] = [
  rpc('server/discover', { _meta: META }),
  rpc('tools/list', { _meta: META, cursor: 'abc' }),
  rpc('tools/call', { name: 'echo', arguments: { text: 'modern' }, _meta: META }),
  rpc('tools/call', {
    name: 'echo',
    arguments: { text: 'x' },
    _meta: META,
    requestState: 'park:1:2:3',
    inputResponses: { a: { action: 'accept' } },
  }),
  rpc('resources/read', { uri: 'file:///x', _meta: META }),
  rpc('tasks/get', { taskId: 'x', _meta: META }),
];

const NASTY: readonly unknown[] = [
  null,
  '',
  '\u0000',
  '\ud800',
  '__proto__',
  'constructor',
  '\u202e\ufeff',
  'x'.repeat(70_000),
  1e308,
  -0,
  2 ** 64,
  0.1,
  true,
  [],
  {},
  [[[[]]]],
  -1,
];

/** Texts that no serializer writes. */
const RAW: readonly string[] = [
  '1e400',
  '-0',
  '123456789012345678901234567890',
  '"\\ud800"',
  '"\\u0000"',
  'NaN',
  '01',
  '{"a":1,"a":2}',
  `${'['.repeat(600)}${']'.repeat(600)}`,
  '\u2028',
];

type Step = (text: string, at: number, pick: number) => string;

/** A position of a value in the text: behind a colon. */
function behindColon(text: string, at: number): number {
  const places = [...text.matchAll(/":/g)].map(({ index }) => index + 2);
  return places[at % Math.max(1, places.length)] ?? 0;
}

/** The end of the simple value that begins there. */
function endOf(text: string, from: number): number {
  const found = /^(?:"(?:[^"\\]|\\.)*"|[-+.\w]+|\{\}|\[\])/.exec(text.slice(from));
  return from + (found?.[0].length ?? 1);
}

function withValue(text: string, at: number, value: string): string {
  const from = behindColon(text, at);
  return text.slice(0, from) + value + text.slice(endOf(text, from));
}

const STEPS: readonly Step[] = [
  (text, at) => text.slice(0, at % (text.length + 1)),
  (text, at) => text.slice(0, at % text.length) + text.slice((at % text.length) + 1),
  (text, at, pick) => text.slice(0, at % text.length) + String.fromCharCode(pick % 256) + text.slice(at % text.length),
  (text, at, pick) => text.slice(0, at % text.length) + String.fromCharCode(32 + (pick % 96)) + text.slice((at % text.length) + 1),
  (text, at, pick) => withValue(text, at, JSON.stringify(NASTY[pick % NASTY.length])),
  (text, at, pick) => withValue(text, at, RAW[pick % RAW.length] ?? ''),
  (text, at) =>
    text.replace(/"([a-zA-Z]+)":/g, (whole, key: string, index: number) => (index === at % 50 ? `"${key}":null,${whole}` : whole)),
  (text, at) => text.replace('{', `{"jsonrpc":"2.0",${at % 2 === 0 ? '' : '"id":1,'}`),
  (text) => `[${text},${text}]`,
  (text, at) => `${text}${' \n\t,}]'[at % 6] ?? ''}`,
  (text) => text.replace('"id":7,', ''),
  (text, _at, pick) => text.replace('"id":7', `"id":${RAW[pick % RAW.length] ?? '8'}`),
  (text, _at, pick) => text.replace('"2026-07-28"', ['"2025-11-25"', '"2099-01-01"', '7', 'null'][pick % 4] ?? ''),
];

const HEADERS = [
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'mcp-session-id',
  'accept',
  'content-type',
  'last-event-id',
  'mcp-param-x',
];
const VALUES = [
  undefined,
  '',
  '2026-07-28',
  '2025-11-25',
  '1999-01-01',
  'tools/call',
  'echo',
  '=?base64?!!?=',
  '=?base64?ZWNobw==?=',
  'x'.repeat(5000),
  'text/event-stream',
  'text/plain',
  '*/*',
  '\u00e9',
  '__proto__',
];

const anyIndex = fc.nat({ max: 100_000 });
const steps = fc.array(fc.tuple(fc.nat({ max: STEPS.length - 1 }), anyIndex, anyIndex), { minLength: 1, maxLength: 3 });
const wrongHeaders = fc.array(fc.tuple(fc.nat({ max: HEADERS.length - 1 }), fc.nat({ max: VALUES.length - 1 })), { maxLength: 2 });

/** Messages that were right before something happened to them: `one` to three changes each, and wrong headers. */
export function attempts(era: 'modern' | 'legacy' | 'both'): fc.Arbitrary<Attempt> {
  const base = era === 'both' ? [...LEGACY, ...MODERN] : era === 'modern' ? MODERN : LEGACY;
  return fc.tuple(fc.constantFrom(...base), steps, wrongHeaders).map(([message, changes, wrong]) => {
    let text = JSON.stringify(message);
    for (const [step, at, pick] of changes) if (text !== '') text = STEPS[step]?.(text, at, pick) ?? text;
    return { text, headers: Object.fromEntries(wrong.map(([name, value]) => [HEADERS[name] ?? '', VALUES[value]])) };
  });
}
