import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { decodeMessage, errorText, MAX_DEPTH, notificationText, orFailure, requestText, resultText, type Message } from './envelope.ts';
import { RPC, rpcError } from './errors.ts';
import { jsonSource, objectSource, runs } from './test-support.ts';

const invalid = (code: number, idText = 'null') => ({ kind: 'invalid', idText, error: { code } });

describe('decodeMessage: requests (S26 basic, "Requests")', () => {
  it.each([
    ['"a"', 'a'],
    ['7', 7],
    ['-3', -3],
    ['1.0', 1],
    ['1e3', 1000],
    ['-0', -0],
    ['""', ''],
    ['"\\u0041"', 'A'],
    ['12345678901234567890', Number('12345678901234567890')],
  ])('takes the id %s and keeps its bytes', (idText, id) => {
    expect(decodeMessage(`{"jsonrpc":"2.0","method":"ping","id":${idText}}`)).toMatchObject({
      kind: 'request',
      idText,
      id,
      method: 'ping',
    });
  });

  it.each(['1.5', 'null', 'true', '{}', '[]', '1e400'])('refuses the id %s', (idText) => {
    verifies('basic-id', 'basic-id-null');
    expect(decodeMessage(`{"jsonrpc":"2.0","method":"ping","id":${idText}}`)).toMatchObject(invalid(RPC.invalidRequest));
  });

  it('without id it is a notification', () => {
    expect(decodeMessage('{"jsonrpc":"2.0","method":"notifications/x","params":{"a":1}}')).toMatchObject({
      kind: 'notification',
      method: 'notifications/x',
    });
  });

  it('gives params and _meta with their spans', () => {
    const text = '{"jsonrpc":"2.0","id":1,"method":"m","params":{"x": 1.0, "_meta":{ "k" :[2] }}}';
    const message = decodeMessage(text);
    if (message.kind !== 'request' || message.params?.meta === undefined) throw new Error('no meta');
    const { span, meta } = message.params;
    expect(span.members.map(({ start, end }) => text.slice(start, end))).toEqual(['1.0', '{ "k" :[2] }']);
    expect(meta.members.map(({ key, start, end }) => [key, text.slice(start, end)])).toEqual([['k', '[2]']]);
  });

  it('a member called __proto__ is a member and gives nothing to others', () => {
    expect(decodeMessage('{"__proto__":{"jsonrpc":"2.0","method":"m"},"id":1}')).toMatchObject(invalid(RPC.invalidRequest));
    const message = decodeMessage('{"jsonrpc":"2.0","id":1,"method":"m","params":{"__proto__":{"_meta":{"a":1}}}}');
    expect(message).toMatchObject({ kind: 'request', params: { meta: undefined } });
  });
});

describe('decodeMessage: what is wrong', () => {
  it.each(['', ' ', '{', '{"a":}', 'nul', '{"jsonrpc":"2.0"', '\ufeff{}', "{'a':1}", '{"a":1}{"b":2}', '{"a":1,}', 'NaN'])(
    'is a parse error: %j',
    (text) => {
      expect(decodeMessage(text)).toMatchObject(invalid(RPC.parseError));
    },
  );

  it.each([
    ['null', 'null'],
    ['1', 'null'],
    ['"x"', 'null'],
    ['{}', 'null'],
    ['{"jsonrpc":"2.0"}', 'null'],
    ['{"jsonrpc":"1.0","id":"a","method":"m"}', '"a"'],
    ['{"jsonrpc":2.0,"id":"a","method":"m"}', '"a"'],
    ['{"id":9,"method":"m"}', '9'],
    ['{"jsonrpc":"2.0","id":5,"method":""}', '5'],
    ['{"jsonrpc":"2.0","id":5,"method":null}', '5'],
    ['{"jsonrpc":"2.0","id":5,"method":["m"]}', '5'],
    ['{"jsonrpc":"2.0","id":5,"method":"m","params":[]}', '5'],
    ['{"jsonrpc":"2.0","id":5,"method":"m","params":null}', '5'],
    ['{"jsonrpc":"2.0","id":5,"method":"m","params":"x"}', '5'],
  ])('is an invalid request: %s', (text, idText) => {
    expect(decodeMessage(text)).toMatchObject(invalid(RPC.invalidRequest, idText));
  });

  it.each([
    ['the envelope', '{"jsonrpc":"2.0","id":1,"method":"a","method":"b"}'],
    ['the envelope, escaped', '{"jsonrpc":"2.0","id":1,"method":"a","\\u006dethod":"b"}'],
    ['params', '{"jsonrpc":"2.0","id":1,"method":"a","params":{"name":"x","name":"y"}}'],
    ['params._meta', '{"jsonrpc":"2.0","id":1,"method":"a","params":{"_meta":{"k":1,"k":2}}}'],
  ])('refuses a member that stands twice in %s: parsers disagree on which one counts', (_where, text) => {
    expect(decodeMessage(text)).toMatchObject({
      ...invalid(RPC.invalidRequest, '1'),
      error: { message: expect.stringContaining('twice') as string },
    });
  });

  it('finds a duplicate among very many members', () => {
    const members = Array.from({ length: 200_000 }, (_, i) => `"k${i}":0`);
    expect(decodeMessage(`{"jsonrpc":"2.0","id":1,"method":"a","params":{${members.join(',')}}}`)).toMatchObject({ kind: 'request' });
    expect(decodeMessage(`{"jsonrpc":"2.0","id":1,"method":"a","params":{${members.join(',')},"k5":1}}`)).toMatchObject(
      invalid(RPC.invalidRequest, '1'),
    );
  });

  it.each(['params', 'extra'])('takes exactly %i levels under a member, the message included', (member) => {
    const at = (levels: number): Message =>
      decodeMessage(`{"jsonrpc":"2.0","id":1,"method":"m","${member}":${'{"a":'.repeat(levels - 2)}{}${'}'.repeat(levels - 1)}`);
    expect(at(MAX_DEPTH)).toMatchObject({ kind: 'request' });
    expect(at(MAX_DEPTH + 1)).toMatchObject({ kind: 'invalid', error: { code: RPC.invalidRequest } });
  });

  it('takes a batch, and refuses one that nests deeper than a message may', () => {
    expect(decodeMessage(' [{}, 1 ]')).toEqual({ kind: 'batch', text: ' [{}, 1 ]', size: 2 });
    expect(decodeMessage('[]')).toMatchObject({ kind: 'batch', size: 0 });
    expect(decodeMessage(`${'['.repeat(50_000)}${']'.repeat(50_000)}`)).toMatchObject(invalid(RPC.invalidRequest));
  });
});

describe('decodeMessage: long texts', () => {
  const pad = '"\\\\\\"[{'.repeat(2000);
  const nested = (levels: number): string =>
    `{"jsonrpc":"2.0","id":1,"method":"m","pad":${JSON.stringify(pad)},"params":${'{"a":'.repeat(levels - 2)}{}${'}'.repeat(levels - 1)}`;

  it('hold as many levels as short ones', () => {
    expect(decodeMessage(nested(MAX_DEPTH))).toMatchObject({ kind: 'request' });
    expect(decodeMessage(nested(MAX_DEPTH + 1))).toMatchObject(invalid(RPC.invalidRequest));
  });

  it.each([
    '['.repeat(2_000_000),
    `${'['.repeat(2_000_000)}${']'.repeat(2_000_000)}`,
    `{"jsonrpc":"2.0","id":1,"method":"m","params":${'{"a":'.repeat(800_000)}`,
  ])('that are nested too deeply are never parsed', (text) => {
    const parse = vi.spyOn(JSON, 'parse');
    try {
      expect(decodeMessage(text)).toMatchObject(invalid(RPC.invalidRequest));
      expect(parse).not.toHaveBeenCalled();
    } finally {
      parse.mockRestore();
    }
  });

  it.each(['"'.padEnd(20_000, 'x'), `${']'.repeat(10_000)}`, `{"a":"${pad}`])('that are no JSON are a parse error', (text) => {
    expect(decodeMessage(text)).toMatchObject(invalid(RPC.parseError));
  });
});

describe('decodeMessage: responses', () => {
  it.each([
    ['{"n":12345678901234567890}', '{"n":12345678901234567890}'],
    ['1.0', '1.0'],
    ['{"a":1}', undefined],
    ['null', undefined],
  ])('keeps the text of error data where a parse changes it: %s', (data, dataText) => {
    const text = `{"jsonrpc":"2.0","id":1,"error":{"code":5,"message":"x","data":${data}}}`;
    const message = decodeMessage(text);
    if (message.kind !== 'response' || message.error === undefined) throw new Error(message.kind);
    expect(message.error.dataText).toBe(dataText);
    expect(errorText('1', message.error)).toBe(text);
  });

  it('gives a result as it came', () => {
    const message = decodeMessage('{"jsonrpc":"2.0","id":"a","result": {"n":12345678901234567890} }');
    expect(message).toMatchObject({ kind: 'response', id: 'a', error: undefined, result: { text: '{"n":12345678901234567890}' } });
  });

  it.each([
    ['1', 1],
    ['null', null],
  ])('gives an error with the id %s', (idText, id) => {
    const message = decodeMessage(`{"jsonrpc":"2.0","id":${idText},"error":{"code":-32601,"data":{"a":1}}}`);
    expect(message).toMatchObject({
      kind: 'response',
      id,
      result: undefined,
      error: { code: -32601, message: 'Unknown error', data: { a: 1 } },
    });
  });
});

describe('decodeMessage: malformed responses', () => {
  it.each([
    ['{"jsonrpc":"2.0","id":5}', 5],
    ['{"jsonrpc":"2.0","id":5,"result":null}', 5],
    ['{"jsonrpc":"2.0","id":5,"result":[]}', 5],
    ['{"jsonrpc":"2.0","id":"a","result":"x"}', 'a'],
    ['{"jsonrpc":"2.0","id":5,"error":"x"}', 5],
    ['{"jsonrpc":"2.0","id":5,"error":{"message":"no code"}}', 5],
    ['{"jsonrpc":"2.0","id":5,"error":{"code":1.5,"message":"x"}}', 5],
    ['{"jsonrpc":"2.0","id":5,"error":{"code":1e400,"message":"x"}}', 5],
    ['{"jsonrpc":"1.0","id":5,"result":{}}', 5],
    ['{"jsonrpc":"2.0","id":5,"result":{},"result":{}}', 5],
    [`{"jsonrpc":"2.0","id":5,"result":${'{"a":'.repeat(MAX_DEPTH)}1${'}'.repeat(MAX_DEPTH)}}`, 5],
    ['{"jsonrpc":"2.0","result":{}}', null],
    ['{"jsonrpc":"2.0","id":true,"result":{}}', null],
    ['{"jsonrpc":"2.0","error":{"message":"no code"}}', null],
  ])('name no id to answer, and fail what was asked: %s', (text, id) => {
    const message = decodeMessage(text);
    expect(message).toMatchObject({
      ...invalid(RPC.invalidRequest),
      response: { kind: 'response', id, result: undefined, error: { code: RPC.internalError } },
    });
    expect(orFailure(message)).toBe(message.kind === 'invalid' ? message.response : undefined);
  });

  it.each(['{"jsonrpc":"2.0"}', '{"id":5}', '{"jsonrpc":"2.0","id":5,"method":7,"result":{}}', '{}', '[', '5'])('are not: %s', (text) => {
    const message = decodeMessage(text);
    expect(orFailure(message)).toBe(message);
    expect(message).not.toHaveProperty('response');
  });
});

describe('decodeMessage: properties', () => {
  const KINDS = ['request', 'notification', 'response', 'batch', 'invalid'];

  it('never throws for any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), jsonSource()), (text) => KINDS.includes(decodeMessage(text).kind)),
      runs(1000),
    );
  });

  it('never throws for a valid message with some of its characters changed', () => {
    const text =
      '{"jsonrpc":"2.0","id":12,"method":"tools/call","params":{"name":"a\\"b","arguments":{"x":[1,{"y":null}]},"_meta":{"k":"v"}}}';
    const edit = fc.tuple(
      fc.nat(text.length),
      fc.nat(3),
      fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '\\', '0', '\u0000', '\ud800'),
    );
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => {
        const changed = edits.reduce((whole, [at, length, put]) => whole.slice(0, at) + put + whole.slice(at + length), text);
        return KINDS.includes(decodeMessage(changed).kind);
      }),
      runs(1000),
    );
  });

  it('keeps the bytes of any params', () => {
    fc.assert(
      fc.property(objectSource(), (params) => {
        const message = decodeMessage(`{"jsonrpc":"2.0","id":1,"method":"m","params":${params}}`);
        if (message.kind === 'invalid') return expect(message.error.message).toContain('twice');
        if (message.kind !== 'request' || message.params === undefined) throw new Error(message.kind);
        const { span, text, value } = message.params;
        expect(text.slice(span.start, span.end)).toBe(params);
        expect(value).toEqual(JSON.parse(params));
      }),
      runs(300),
    );
  });
});

describe('texts of messages', () => {
  it('are what decodeMessage reads', () => {
    expect(decodeMessage(requestText(3, 'a"b', '{"x":1}'))).toMatchObject({ kind: 'request', id: 3, method: 'a"b' });
    expect(decodeMessage(notificationText('n'))).toMatchObject({ kind: 'notification', method: 'n', params: undefined });
    expect(decodeMessage(notificationText('n', '{}'))).toMatchObject({ kind: 'notification', params: { value: {} } });
    expect(resultText('"\\u0041"', '{}')).toBe('{"jsonrpc":"2.0","id":"\\u0041","result":{}}');
    expect(decodeMessage(errorText('null', rpcError(RPC.busy, 'later')))).toMatchObject({
      kind: 'response',
      id: null,
      error: { code: RPC.busy },
    });
  });
});
