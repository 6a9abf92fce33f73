import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { META } from './meta.ts';
import { legacyParams, modernParams } from './outgoing.ts';
import { callOf, key, jsonSource, request, runs } from './test-support.ts';

const GATEWAY = { name: 'gw', version: '1' };
const modern = (params: string | undefined, toolName?: string) =>
  modernParams(callOf(request('tools/call', params).params, toolName), '2026-07-28', { gateway: GATEWAY, progressToken: undefined });
const legacy = (params: string | undefined, toolName?: string) =>
  legacyParams(callOf(request('tools/call', params).params, toolName), undefined);

const OURS = { [META.protocolVersion]: '2026-07-28', [META.clientCapabilities]: {} };

describe('modernParams (PROTOCOL A5)', () => {
  it('makes params where there are none', () => {
    expect(JSON.parse(modern(undefined))).toEqual({ _meta: { ...OURS, [META.clientInfo]: GATEWAY } });
    expect(JSON.parse(modern(undefined, 't'))).toEqual({ name: 't', _meta: { ...OURS, [META.clientInfo]: GATEWAY } });
  });

  it('replaces version and capabilities, drops the progress token, keeps who the client is', () => {
    const meta = {
      [META.protocolVersion]: '2027-01-01',
      [META.clientCapabilities]: { sampling: {} },
      [META.clientInfo]: { name: 'c', version: '2' },
      progressToken: 7,
      traceparent: 't',
    };
    expect(JSON.parse(modern(JSON.stringify({ name: 'a', _meta: meta })))).toEqual({
      name: 'a',
      _meta: { ...OURS, [META.clientInfo]: { name: 'c', version: '2' }, traceparent: 't' },
    });
  });

  it('names the client of a session where its request does not', () => {
    const call = callOf(request('tools/call', '{}').params);
    const info = { name: 'legacy', version: '3' };
    expect(
      JSON.parse(modernParams({ ...call, client: { ...call.client, info } }, '2026-07-28', { gateway: GATEWAY, progressToken: undefined })),
    ).toMatchObject({
      _meta: { [META.clientInfo]: info },
    });
  });

  it('replaces a _meta that is no object', () => {
    expect(JSON.parse(modern('{"_meta":5}'))).toEqual({ _meta: { ...OURS, [META.clientInfo]: GATEWAY } });
  });

  it('writes the name only where it differs', () => {
    expect(modern('{"name": "\\u0061"}', 'a')).toContain('"name": "\\u0061"');
    expect(modern('{"name": "srv__a","arguments":{"n":1.0}}', 'a')).toContain('"name": "a","arguments":{"n":1.0}');
  });
});

describe('legacyParams (PROTOCOL A5)', () => {
  it('takes off what the modern era added', () => {
    const meta = {
      [META.protocolVersion]: '2026-07-28',
      [META.clientInfo]: {},
      [META.clientCapabilities]: {},
      [META.logLevel]: 'info',
      progressToken: 1,
    };
    const params = { name: 'a', _meta: meta, inputResponses: {}, requestState: 's' };
    expect(legacy(JSON.stringify(params))).toBe('{"name":"a"}');
    expect(legacy(JSON.stringify({ ...params, _meta: { ...meta, traceparent: 't' } }), 'b')).toBe(
      '{"name":"b","_meta":{"traceparent":"t"}}',
    );
  });

  it('makes params where there are none, and an empty object of nothing else', () => {
    expect(legacy(undefined)).toBe('{}');
    expect(legacy(undefined, 't')).toBe('{"name":"t"}');
    expect(legacy('{"_meta":{}}')).toBe('{}');
  });
});

describe('forwarding is a splice', () => {
  it('whatever else the client sent goes on as its bytes', () => {
    const reserved = new Set<string>([...Object.values(META), '_meta', 'name', 'inputResponses', 'requestState']);
    const members = (): fc.Arbitrary<string> =>
      fc
        .uniqueArray(fc.tuple(key(), jsonSource(2)), { maxLength: 4, selector: ([name]) => name })
        .map((list) => list.filter(([name]) => !reserved.has(name)).map(([name, text]) => `${JSON.stringify(name)}: ${text}`))
        .map((list) => list.join(','));
    fc.assert(
      fc.property(members(), members(), (top, meta) => {
        const params = `{"name":"a"${top && ','}${top},"_meta":{"progressToken":1${meta && ','}${meta}}}`;
        const sent = request('tools/call', params).params?.value as { _meta: object };
        for (const text of [modern(params, 'b'), legacy(params, 'b')]) {
          expect(text).toContain(`{"name":"b"${top && ','}${top}`);
          expect(text).toContain(meta);
          const { _meta, ...rest } = JSON.parse(text) as { _meta?: object };
          expect(rest).toEqual({ ...sent, name: 'b', _meta: undefined });
          const { progressToken: _token, ...kept } = sent._meta as Record<string, unknown>;
          for (const name of Object.keys(kept)) expect(Object.hasOwn(_meta ?? {}, name)).toBe(true);
        }
      }),
      runs(300),
    );
  });
});
