import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RPC } from './errors.ts';
import type { HeaderParam } from './header-params.ts';
import { checkMirrors, checkParamHeaders, decodeHeaderValue, encodeHeaderValue, mirrorHeaders } from './headers.ts';
import { runs } from './test-support.ts';

const mismatch = (text: string) => ({ code: RPC.headerMismatch, message: expect.stringContaining(text) as string });

describe('header values (S26 Streamable HTTP, "Value Encoding")', () => {
  it.each([
    ['us-west1', 'us-west1'],
    ['Hello, 世界', '=?base64?SGVsbG8sIOS4lueVjA==?='],
    [' padded ', '=?base64?IHBhZGRlZCA=?='],
    ['line1\nline2', '=?base64?bGluZTEKbGluZTI=?='],
    ['=?base64?literal?=', '=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?='],
    ['=?base64?=', '=?base64?PT9iYXNlNjQ/PQ==?='],
    ['', '=?base64??='],
    ['a\tb c', 'a\tb c'],
    ['=?BASE64?x?=', '=?BASE64?x?='],
  ])('encodes %j as %s, and back', (value, header) => {
    verifies('http-value-markers', 'http-value-sentinel', 'http-value-encoded', 'http-value-base64');
    expect(encodeHeaderValue(value)).toBe(header);
    expect(decodeHeaderValue(header)).toBe(value);
  });

  it('any text survives the round trip as a legal header value', () => {
    verifies('http-name-encoded', 'http-value-encoded', 'http-value-base64');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.string(),
          fc.string().map((text) => `=?base64?${text}?=`),
        ),
        (value) => {
          const header = encodeHeaderValue(value);
          expect(header).toMatch(/^[\x21-\x7e]([\x20-\x7e\t]*[\x21-\x7e])?$/);
          expect(decodeHeaderValue(header)).toBe(value);
        },
      ),
      runs(1000),
    );
  });

  it.each([
    ['no padding', '=?base64?SGVsbG8?='],
    ['padding too long', '=?base64?SGVsbG8==?='],
    ['another alphabet', '=?base64?SGVs-_8=?='],
    ['white space inside', '=?base64?SGVs bG8=?='],
    ['no alphabet', '=?base64?SGVs!!!bG8=?='],
    ['bits behind the end', '=?base64?SGVsbG9=?='],
    ['not UTF-8', '=?base64?/w==?='],
    ['an overlong form', '=?base64?wIA=?='],
    ['marks that overlap', '=?base64?='],
    ['a raw non-ASCII character', 'caf\u00e9'],
    ['a no-break space around it', '\u00a0a\u00a0'],
    ['a control character', 'a\u0001b'],
  ])('refuses %s', (_what, header) => {
    expect(decodeHeaderValue(header)).toBeUndefined();
  });

  it('white space around a value is not part of it', () => {
    expect(decodeHeaderValue('  \tname ')).toBe('name');
    expect(decodeHeaderValue(' =?base64?IGE=?= ')).toBe(' a');
  });
});

describe('checkMirrors (S26 Streamable HTTP, "Server Validation")', () => {
  const check = (
    headers: Record<string, string | readonly string[] | undefined>,
    method = 'tools/call',
    params: Record<string, unknown> = { name: 'x' },
  ) => checkMirrors(headers, method, params);

  it.each([
    ['an equal name', { 'mcp-method': 'tools/call', 'mcp-name': 'x' }],
    ['white space around', { 'mcp-method': ' tools/call ', 'mcp-name': '  x  ' }],
    ['an encoded name', { 'mcp-method': 'tools/call', 'mcp-name': '=?base64?eA==?=' }],
  ])('accepts %s', (_what, headers) => {
    expect(check(headers)).toBeUndefined();
  });

  it.each([
    ['no method', { 'mcp-name': 'x' }, 'Mcp-Method is required'],
    ['another method', { 'mcp-method': 'prompts/get', 'mcp-name': 'x' }, 'does not match'],
    ['another case of the method', { 'mcp-method': 'Tools/Call', 'mcp-name': 'x' }, 'does not match'],
    ['no name', { 'mcp-method': 'tools/call' }, 'Mcp-Name is required'],
    ['another name', { 'mcp-method': 'tools/call', 'mcp-name': 'y' }, 'does not match'],
    ['another case of the name', { 'mcp-method': 'tools/call', 'mcp-name': 'X' }, 'does not match'],
    ['an empty name', { 'mcp-method': 'tools/call', 'mcp-name': '' }, 'does not match'],
    ['a broken encoding', { 'mcp-method': 'tools/call', 'mcp-name': '=?base64?eA?=' }, 'invalid characters'],
    ['the first of two names', { 'mcp-method': 'tools/call', 'mcp-name': ['y', 'x'] }, 'does not match'],
  ])('refuses %s', (_what, headers, text) => {
    expect(check(headers)).toMatchObject(mismatch(text));
  });

  it('compares the whole name: white space that belongs to it is encoded', () => {
    expect(check({ 'mcp-method': 'tools/call', 'mcp-name': encodeHeaderValue(' x ') }, 'tools/call', { name: ' x ' })).toBeUndefined();
    expect(check({ 'mcp-method': 'tools/call', 'mcp-name': 'x' }, 'tools/call', { name: ' x ' })).toMatchObject(mismatch('does not match'));
  });

  it.each([
    ['prompts/get', 'name'],
    ['resources/read', 'uri'],
    ['tasks/get', 'taskId'],
    ['tasks/cancel', 'taskId'],
  ])('for %s the name is params.%s', (method, source) => {
    expect(check({ 'mcp-method': method, 'mcp-name': 'v' }, method, { [source]: 'v' })).toBeUndefined();
    expect(check({ 'mcp-method': method, 'mcp-name': 'w' }, method, { [source]: 'v' })).toMatchObject(mismatch('does not match'));
  });

  it('other methods, even with inherited names, need no name', () => {
    for (const method of ['tools/list', 'toString', '__proto__'])
      expect(check({ 'mcp-method': method, 'mcp-name': 'x' }, method, {})).toBeUndefined();
  });

  it('leaves a name that is no string to the check of the params', () => {
    expect(check({ 'mcp-method': 'tools/call' }, 'tools/call', { name: 7 })).toBeUndefined();
    expect(checkMirrors({ 'mcp-method': 'tools/call' }, 'tools/call', undefined)).toBeUndefined();
  });
});

describe('checkParamHeaders (S26 Streamable HTTP, "Server Behavior for Custom Headers")', () => {
  const REGION: HeaderParam = { header: 'Region', path: ['region'], type: 'string' };
  const COUNT: HeaderParam = { header: 'Count', path: ['deep', 'count'], type: 'integer' };
  const DRY: HeaderParam = { header: 'Dry', path: ['dry'], type: 'boolean' };
  const region = (header: string | undefined, value: unknown) =>
    checkParamHeaders({ 'mcp-param-region': header }, [REGION], { region: value });
  const count = (header: string | undefined, value: unknown) =>
    checkParamHeaders({ 'mcp-param-count': header }, [COUNT], { deep: { count: value } });
  const dry = (header: string, value: unknown) => checkParamHeaders({ 'mcp-param-dry': header }, [DRY], { dry: value });

  it('an argument needs its header, and null or absent arguments none', () => {
    verifies('http-value-compared', 'http-value-missing', 'http-value-null-accepted');
    expect(region('eu', 'eu')).toBeUndefined();
    expect(region(undefined, 'eu')).toMatchObject(mismatch('is required'));
    expect(region('us', 'eu')).toMatchObject(mismatch('does not match'));
    expect(region(undefined, null)).toBeUndefined();
    expect(checkParamHeaders({}, [REGION], {})).toBeUndefined();
    expect(region('eu', null)).toMatchObject(mismatch('does not have'));
    expect(region('', '')).toBeUndefined();
    expect(region(encodeHeaderValue(''), '')).toBeUndefined();
  });

  it('strings are equal to the letter', () => {
    verifies('http-value-decoded', 'http-value-characters');
    expect(region('EU', 'eu')).toMatchObject(mismatch('does not match'));
    expect(region(' eu ', 'eu')).toBeUndefined();
    expect(region('eu', ' eu ')).toMatchObject(mismatch('does not match'));
    expect(region('1.0', '1')).toMatchObject(mismatch('does not match'));
    expect(region('=?base64?ZXU=?=', 'eu')).toBeUndefined();
    expect(region('=?base64?ZXU?=', 'eu')).toMatchObject(mismatch('invalid characters'));
  });

  it.each(['42', '42.0', '42.000', '042', ' 42 '])('integers compare numerically: %j is 42', (header) => {
    expect(count(header, 42)).toBeUndefined();
  });

  it.each(['43', '42.5', '42.0000000000000000001', '0x2A', '0b101010', '4.2e1', '+42', '42,0', '', 'NaN', '4 2'])(
    '%j is not 42',
    (header) => {
      expect(count(header, 42)).toMatchObject(mismatch('does not match'));
    },
  );

  it('zero and negative integers', () => {
    expect(count('0', -0)).toBeUndefined();
    expect(count('-0', 0)).toBeUndefined();
    expect(count('-7', -7)).toBeUndefined();
    expect(count('7', -7)).toMatchObject(mismatch('does not match'));
    expect(count('9007199254740991', 9007199254740991)).toBeUndefined();
  });

  it.each(['9007199254740992', '9007199254740993', undefined])('an integer beyond 2^53 - 1 has no mirror (header %s)', (header) => {
    verifies('http-mirror-integer');
    expect(count(header, Number('9007199254740993'))).toMatchObject(mismatch('2^53'));
  });

  it('booleans are true and false', () => {
    expect(dry('true', true)).toBeUndefined();
    expect(dry('True', true)).toMatchObject(mismatch('does not match'));
    expect(dry('1', true)).toMatchObject(mismatch('does not match'));
  });

  it('reads own members only', () => {
    const inherited: HeaderParam = { header: 'C', path: ['constructor', 'name'], type: 'string' };
    expect(checkParamHeaders({}, [inherited], {})).toBeUndefined();
    expect(checkParamHeaders({ 'mcp-param-c': 'Object' }, [inherited], {})).toMatchObject(mismatch('does not have'));
  });

  it('ignores headers that the tool does not declare', () => {
    expect(checkParamHeaders({ 'mcp-param-other': '=?base64?!?=' }, [REGION], {})).toBeUndefined();
  });
});

describe('mirrorHeaders (PROTOCOL C3)', () => {
  const PARAMS: HeaderParam[] = [
    { header: 'Region', path: ['region'], type: 'string' },
    { header: 'N', path: ['n'], type: 'integer' },
    { header: 'Dry', path: ['o', 'dry'], type: 'boolean' },
  ];

  it('says what the body says', () => {
    verifies('http-mirrors', 'http-value-null');
    const params = { name: 'größe', arguments: { region: ' eu', n: -7, o: { dry: false } } };
    expect(mirrorHeaders('2026-07-28', 'tools/call', params, PARAMS)).toEqual({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': encodeHeaderValue('größe'),
      'mcp-param-region': encodeHeaderValue(' eu'),
      'mcp-param-n': '-7',
      'mcp-param-dry': 'false',
    });
  });

  it.each([
    ['null arguments', { region: null, n: null, o: null }],
    ['absent arguments', undefined],
    ['arguments of another kind', 'x'],
    ['integers that have no exact text', { n: 2 ** 53 }],
  ])('leaves the headers out for %s', (_what, args) => {
    expect(mirrorHeaders('2026-07-28', 'tools/call', { name: 't', arguments: args }, PARAMS)).toEqual({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 't',
    });
  });

  it('passes our own check of any arguments', () => {
    const args = fc.record(
      { region: fc.string({ unit: 'binary' }), n: fc.maxSafeInteger(), o: fc.record({ dry: fc.boolean() }) },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', minLength: 1 }), args, (name, value) => {
        const params = { name, arguments: value };
        const headers = mirrorHeaders('2026-07-28', 'tools/call', params, PARAMS);
        expect(checkMirrors(headers, 'tools/call', params)).toBeUndefined();
        expect(checkParamHeaders(headers, PARAMS, value)).toBeUndefined();
      }),
      runs(300),
    );
  });
});
