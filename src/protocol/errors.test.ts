import { describe, expect, it } from 'vitest';
import { errorForLegacy, errorForModern, isModernCode, RPC, rpcError, unsupportedVersion } from './errors.ts';

describe('RPC (S26 basic, "Error Codes")', () => {
  it('is public: these numbers do not change', () => {
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
    expect(errorForModern(rpcError(-32002, 'gone'), 'file:///x')).toEqual({ code: -32602, message: 'gone', data: { uri: 'file:///x' } });
    expect(errorForModern(rpcError(-32002, 'gone', { uri: 'u' }))).toEqual({ code: -32602, message: 'gone', data: { uri: 'u' } });
    expect(errorForModern(rpcError(-32000, 'x')).data).toEqual({ upstreamCode: -32000 });
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
