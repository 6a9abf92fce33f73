import { describe, expect, it } from 'vitest';
import { errorForLegacy, errorForModern, isModernCode, RPC, rpcError, rpcErrorText, unsupportedVersion } from './errors.ts';

describe('RPC (S26 basic, "Error Codes")', () => {
  it('is public: these numbers do not change', () => {
    verifies('basic-error-integer');
    expect(RPC).toEqual({
      parseError: -32700,
      invalidRequest: -32600,
      methodNotFound: -32601,
      invalidParams: -32602,
      internalError: -32603,
      headerMismatch: -32020,
      missingRequiredClientCapability: -32021,
      unsupportedProtocolVersion: -32022,
      resourceNotFound: -32002,
      urlElicitationRequired: -32042,
      unauthenticated: 4010,
      forbidden: 4030,
      busy: 4290,
      upstreamFailed: 5020,
      resultTooLarge: 5130,
      deadline: 5040,
    });
  });

  it('our own lie outside the reserved range', () => {
    verifies('basic-error-legacy-range', 'basic-error-meanings');
    for (const code of [RPC.forbidden, RPC.busy, RPC.upstreamFailed, RPC.resultTooLarge, RPC.deadline])
      expect(code > -32000 || code < -32768).toBe(true);
  });
});

describe('errorForModern (PROTOCOL C2)', () => {
  it.each([
    [-32002, -32602],
    [-32021, -32021],
    [-32020, -32603],
    [-32022, -32603],
    [-32042, -32603],
    [-32000, -32603],
    [-32001, -32603],
    [-32019, -32603],
    [-32050, -32603],
    [-32099, -32603],
    [-32100, -32100],
    [-31999, -31999],
    [-32601, -32601],
    [-32602, -32602],
    [-32603, -32603],
    [42, 42],
    [0, 0],
  ])('%i becomes %i', (code, expected) => {
    const error = errorForModern(rpcError(code, 'why', { d: 1 }));
    expect(error).toMatchObject({ code: expected, message: 'why' });
    if (code !== expected && code !== -32002) expect(error.data).toEqual({ upstreamCode: code, upstreamData: { d: 1 } });
    if (code === expected) expect(error.data).toEqual({ d: 1 });
  });

  it('a resource that is not found names its uri', () => {
    verifies('basic-error-retired');
    expect(errorForModern(rpcError(-32002, 'gone'), 'file:///x')).toEqual({ code: -32602, message: 'gone', data: { uri: 'file:///x' } });
    expect(errorForModern(rpcError(-32002, 'gone', { uri: 'u' }))).toEqual({ code: -32602, message: 'gone', data: { uri: 'u' } });
    expect(errorForModern(rpcError(-32000, 'x')).data).toEqual({ upstreamCode: -32000 });
  });
});

describe('errors about a resource (PROTOCOL C2)', () => {
  const data = { uri: 'upstream:a', hint: 1 };

  it.each<[number, unknown, unknown]>([
    [-32002, undefined, { uri: 'u' }],
    [-32002, data, { uri: 'u', hint: 1 }],
    [-32002, 'gone', { uri: 'u' }],
    [-32602, undefined, { uri: 'u' }],
    [-32602, data, { uri: 'u', hint: 1 }],
  ])('%i with %j names the uri that the client knows', (code, before, after) => {
    expect(errorForModern(rpcError(code, 'x', before), 'u', 'legacy')).toEqual({ code: -32602, message: 'x', data: after });
  });

  it('another error of a resources/read stays what it is', () => {
    expect(errorForModern(rpcError(-32602, 'x', { field: 'a' }), 'u')).toEqual({ code: -32602, message: 'x', data: { field: 'a' } });
    expect(errorForModern(rpcError(-32603, 'x'), 'u')).toEqual({ code: -32603, message: 'x' });
    expect(errorForModern(rpcError(-32602, 'x'))).toEqual({ code: -32602, message: 'x' });
  });

  it('holds for legacy clients too', () => {
    expect(errorForLegacy(rpcError(-32602, 'x', data), 'resources/read', 'u')).toEqual({
      code: -32002,
      message: 'x',
      data: { uri: 'u', hint: 1 },
    });
    expect(errorForLegacy(rpcError(-32002, 'x'), 'resources/read', 'u')).toEqual({ code: -32002, message: 'x', data: { uri: 'u' } });
    expect(errorForLegacy(rpcError(-32602, 'x'), 'resources/read', 'u').code).toBe(-32602);
  });
});

describe('data as text', () => {
  const error = { code: -32050, message: 'x', data: { n: 12345678901234567890n.toString() }, dataText: '{"n":12345678901234567890}' };

  it('is what is written', () => {
    expect(rpcErrorText(error)).toBe('{"code":-32050,"message":"x","data":{"n":12345678901234567890}}');
    expect(rpcErrorText(rpcError(1, 'x', { a: 1 }))).toBe('{"code":1,"message":"x","data":{"a":1}}');
    expect(rpcErrorText(rpcError(1, 'x'))).toBe('{"code":1,"message":"x"}');
  });

  it('survives translation', () => {
    expect(rpcErrorText(errorForModern(error))).toBe(
      '{"code":-32603,"message":"x","data":{"upstreamCode":-32050,"upstreamData":{"n":12345678901234567890}}}',
    );
    expect(errorForLegacy(error, 'tools/call')).toBe(error);
    expect(rpcErrorText(errorForLegacy({ ...error, code: -32021 }, 'tools/call'))).toContain('12345678901234567890');
  });
});

describe('errorForLegacy (PROTOCOL C2)', () => {
  it.each([-32020, -32021, -32022])('the modern code %i never reaches a legacy client', (code) => {
    expect(errorForLegacy(rpcError(code, 'x'), 'tools/call')).toEqual({ code: -32603, message: 'x', data: { upstreamCode: code } });
  });

  it('a resource that is not found has the legacy code, on resources/read only', () => {
    const error = rpcError(-32602, 'gone', { uri: 'u' });
    expect(errorForLegacy(error, 'resources/read')).toEqual({ code: -32002, message: 'gone', data: { uri: 'u' } });
    expect(errorForLegacy(error, 'tools/call')).toBe(error);
    expect(errorForLegacy(rpcError(-32602, 'bad', 'uri'), 'resources/read').code).toBe(-32602);
    expect(errorForLegacy(rpcError(-32602, 'bad'), 'resources/read').code).toBe(-32602);
  });

  it.each([-32000, -32002, -32042, -32601, 42])('%i stays', (code) => {
    expect(errorForLegacy(rpcError(code, 'x'), 'tools/call').code).toBe(code);
  });
});

describe('helpers', () => {
  it('isModernCode', () => {
    expect([-32020, -32021, -32022, -32019, -32023, '-32020', undefined].map(isModernCode)).toEqual([
      true,
      true,
      true,
      false,
      false,
      false,
      false,
    ]);
  });

  it('unsupportedVersion lists what is supported and what was asked for', () => {
    expect(unsupportedVersion('1900-01-01', ['a', 'b'])).toMatchObject({
      code: -32022,
      data: { supported: ['a', 'b'], requested: '1900-01-01' },
    });
    expect(unsupportedVersion(7, ['a']).data).toEqual({ supported: ['a'], requested: 7 });
  });

  it('rpcError has no data member without data', () => {
    expect(Object.keys(rpcError(1, 'x'))).toEqual(['code', 'message']);
    expect(rpcError(1, 'x', null)).toEqual({ code: 1, message: 'x', data: null });
  });
});
