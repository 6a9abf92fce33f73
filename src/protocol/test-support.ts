import fc from 'fast-check';
import { decodeMessage, type Params, type RequestMessage } from './envelope.ts';
import { jsonText, type JsonText } from './json-text.ts';
import type { JsonObject } from './meta.ts';
import type { Call } from './target.ts';

/** Runs of a property: one count for every day, twenty and more times as many in the long run. */
export const runs = (count: number): { numRuns: number } => ({
  numRuns: Math.ceil(count * Number(process.env.STOCKPULSE_TEST_SCALE ?? 1)),
});

/** Names that plain objects inherit, or that code treats specially. */
export const AWKWARD = [
  '__proto__',
  'constructor',
  'toString',
  'valueOf',
  'hasOwnProperty',
  'length',
  '',
  'a"b',
  '\\',
  '\u2028',
  'ключ',
  '\ud83d\ude00',
  '_meta',
];

/** Without backslashes: texts whose keys have some lead V8 astray in later ones (json-sure.ts), and would blur other properties. */
export const key = (): fc.Arbitrary<string> =>
  fc.oneof(fc.constantFrom(...AWKWARD), fc.string(), fc.string({ unit: 'binary', maxLength: 5 })).map((name) => name.replaceAll('\\', '/'));

const space = (): fc.Arbitrary<string> => fc.stringMatching(/^[ \t\n\r]{0,3}$/);

/** A JSON string token with some characters escaped that need not be. */
const stringToken = (text: string, escapes: boolean): string =>
  escapes
    ? `"${[...Array(text.length).keys()].map((i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('')}"`
    : JSON.stringify(text);

const NUMBERS = ['-0', '0', '1e400', '-1E+2', '12345678901234567890', '0.1000', '42.0', '1e-7', '9007199254740993'];

/** JSON texts that no serializer of ours would write: white space everywhere, escapes, numbers that a parse would change. */
export const jsonSource = (maxDepth = 4): fc.Arbitrary<string> => {
  const { value } = fc.letrec<{ value: string; object: string; array: string }>((tie) => ({
    value: fc.oneof(
      { maxDepth, withCrossShrink: true },
      fc.constantFrom('null', 'true', 'false', ...NUMBERS),
      fc.tuple(fc.string({ unit: 'binary', maxLength: 8 }), fc.boolean()).map(([text, escapes]) => stringToken(text, escapes)),
      fc.constantFrom('"\\""', '"\\\\"', '"\\\\\\""', '"{[,]}"', '"\\ud800"', '"a\\/b"'),
      tie('object'),
      tie('array'),
    ),
    object: objectOf(tie('value')),
    array: fc
      .array(fc.tuple(space(), tie('value'), space()), { maxLength: 4 })
      .chain((items) => space().map((pad) => `[${items.length === 0 ? pad : items.map((item) => item.join('')).join(',')}]`)),
  }));
  return value;
};

const objectOf = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(
      fc.uniqueArray(fc.tuple(key(), fc.boolean(), space(), space(), value, space()), { maxLength: 5, selector: ([name]) => name }),
      space(),
    )
    .map(([members, pad]) => {
      const texts = members.map(([name, escapes, a, b, text, c]) => `${a}${stringToken(name, escapes)}${b}:${a}${text}${c}`);
      return `{${texts.length === 0 ? pad : texts.join(',')}}`;
    });

export const objectSource = (): fc.Arbitrary<string> => objectOf(jsonSource());

export const textOf = (text: string): JsonText => ({ text, value: JSON.parse(text) as JsonObject });

export function requestOf(text: string): RequestMessage {
  const message = decodeMessage(text);
  if (message.kind !== 'request') throw new Error(`not a request but ${JSON.stringify(message)}`);
  return message;
}

/** A request with these params, or, of a text, exactly these. */
export function request(method: string, params?: JsonObject | string): RequestMessage {
  const text = typeof params === 'string' ? params : params && jsonText(params).text;
  return requestOf(`{"jsonrpc":"2.0","id":1,"method":${JSON.stringify(method)}${text === undefined ? '' : `,"params":${text}`}}`);
}

export function callOf(params: Params | undefined, name?: string): Call {
  return {
    method: 'tools/call',
    params,
    subject: name === undefined ? undefined : { member: 'name', value: name },
    sideEffect: 'write',
    edits: [],
    headerParams: [],
    client: { revision: '2026-07-28', info: undefined, capabilities: {} },
    caller: { principal: 'p', scopes: new Set() },
    offers: { text: '{}', value: {} },
    state: undefined,
    answers: undefined,
    logLevel: undefined,
    progress: false,
    deadlineMs: 1000,
  };
}
