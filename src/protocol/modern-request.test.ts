import { describe, expect, it } from 'vitest';
import { RPC } from './errors.ts';
import { META, type JsonObject } from './meta.ts';
import { checkModern, methodNotFound, wantsModern } from './modern-request.ts';
import { request } from './test-support.ts';

const METHODS = new Set(['tools/call', 'tools/list']);
const META_OK = { [META.protocolVersion]: '2026-07-28', [META.clientCapabilities]: {}, [META.clientInfo]: { name: 'c', version: '1' } };
const HEADERS_OK = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'x' };

interface Change {
  readonly meta?: JsonObject;
  readonly method?: string;
  readonly headers?: Record<string, string | undefined>;
  readonly params?: JsonObject;
}

const verdict = ({ meta = {}, method = 'tools/call', headers = {}, params }: Change) => {
  const message = request(method, params ?? { name: 'x', _meta: { ...META_OK, ...meta } });
  const result = checkModern(message, METHODS, { ...HEADERS_OK, ...headers });
  return result.ok ? result : { status: result.status, code: result.error.code };
};

describe('wantsModern (PROTOCOL C1)', () => {
  it.each([
    ['no sign', undefined, undefined, false],
    ['a modern header', '2026-07-28', undefined, true],
    ['a header with white space', ' 2026-07-28 ', undefined, true],
    ['a later revision in the header', '2031-01-01', undefined, true],
    ['a legacy header', '2025-11-25', undefined, false],
    ['no date in the header', 'latest', undefined, false],
    ['the key in _meta', undefined, { [META.protocolVersion]: '2026-07-28' }, true],
    ['the key with a legacy version', '2025-11-25', { [META.protocolVersion]: '2025-11-25' }, true],
    ['the key with null', undefined, { [META.protocolVersion]: null }, true],
    ['another _meta', undefined, { progressToken: 1 }, false],
  ])('%s', (_what, header, meta, expected) => {
    expect(wantsModern(request('tools/list', meta && { _meta: meta }), header)).toBe(expected);
    if (meta === undefined) expect(wantsModern(request('tools/list'), header)).toBe(expected);
  });
});

describe('checkModern: each check', () => {
  it('lets a right request pass and says who the client is', () => {
    expect(verdict({})).toEqual({ ok: true, client: { revision: '2026-07-28', info: { name: 'c', version: '1' }, capabilities: {} } });
    expect(verdict({ meta: { [META.clientInfo]: undefined } })).toMatchObject({ ok: true, client: { info: undefined } });
  });

  it.each<[string, Change, number, number]>([
    ['no params', { params: {} }, 400, RPC.invalidParams],
    ['a _meta that is none', { params: { _meta: [] } }, 400, RPC.invalidParams],
    ['no version', { meta: { [META.protocolVersion]: undefined } }, 400, RPC.invalidParams],
    ['a version that is no text', { meta: { [META.protocolVersion]: 20260728 } }, 400, RPC.invalidParams],
    ['no capabilities', { meta: { [META.clientCapabilities]: undefined } }, 400, RPC.invalidParams],
    ['capabilities that are none', { meta: { [META.clientCapabilities]: null } }, 400, RPC.invalidParams],
    ['a clientInfo that is none', { meta: { [META.clientInfo]: 'me' } }, 400, RPC.invalidParams],
    ['no version header', { headers: { 'mcp-protocol-version': undefined } }, 400, RPC.headerMismatch],
    ['another version header', { headers: { 'mcp-protocol-version': '2025-11-25' } }, 400, RPC.headerMismatch],
    [
      'an unknown version',
      { meta: { [META.protocolVersion]: '2031-01-01' }, headers: { 'mcp-protocol-version': '2031-01-01' } },
      400,
      RPC.unsupportedProtocolVersion,
    ],
    [
      'a legacy version',
      { meta: { [META.protocolVersion]: '2025-11-25' }, headers: { 'mcp-protocol-version': '2025-11-25' } },
      400,
      RPC.unsupportedProtocolVersion,
    ],
    ['an unknown method', { method: 'initialize', headers: { 'mcp-method': 'initialize' } }, 404, RPC.methodNotFound],
    ['an inherited name as method', { method: 'constructor' }, 404, RPC.methodNotFound],
    ['another Mcp-Method', { headers: { 'mcp-method': 'tools/list' } }, 400, RPC.headerMismatch],
    ['another Mcp-Name', { headers: { 'mcp-name': 'y' } }, 400, RPC.headerMismatch],
  ])('%s', (_what, change, status, code) => {
    expect(verdict(change)).toEqual({ status, code });
  });

  it('lists the versions it supports', () => {
    verifies('version-unsupported');
    const message = request('tools/call', { _meta: { ...META_OK, [META.protocolVersion]: '1900-01-01' } });
    expect(checkModern(message, METHODS, undefined)).toMatchObject({
      ok: false,
      error: { data: { supported: ['2026-07-28'], requested: '1900-01-01' } },
    });
  });

  it('lets any method pass where any will do, and checks the rest', () => {
    const any = (headers: Record<string, string>) =>
      checkModern(request('com.example/own', { _meta: META_OK }), undefined, { 'mcp-protocol-version': '2026-07-28', ...headers });
    expect(any({ 'mcp-method': 'com.example/own' })).toMatchObject({ ok: true });
    expect(any({ 'mcp-method': 'tools/list' })).toMatchObject({ status: 400, error: { code: RPC.headerMismatch } });
  });

  it('without headers, as on stdio, only the body counts', () => {
    const body = (change: JsonObject, method = 'tools/call') =>
      checkModern(request(method, { name: 'x', _meta: { ...META_OK, ...change } }), METHODS, undefined);
    expect(body({})).toMatchObject({ ok: true });
    expect(body({}, 'nope')).toMatchObject({ status: 404 });
  });
});

describe('checkModern: the order (PROTOCOL C1)', () => {
  it('the first wrong thing is the one that is said', () => {
    const everything: Change = {
      method: 'nope',
      meta: { [META.protocolVersion]: '2031-01-01', [META.clientCapabilities]: undefined },
      headers: { 'mcp-protocol-version': 'x', 'mcp-method': 'y' },
    };
    expect(verdict(everything)).toEqual({ status: 400, code: RPC.invalidParams });
    const meta = { [META.protocolVersion]: '2031-01-01' };
    expect(verdict({ ...everything, meta })).toEqual({ status: 400, code: RPC.headerMismatch });
    const headers = { 'mcp-protocol-version': '2031-01-01', 'mcp-method': 'y' };
    expect(verdict({ ...everything, meta, headers })).toEqual({ status: 400, code: RPC.unsupportedProtocolVersion });
    expect(verdict({ method: 'nope', headers: { 'mcp-method': 'y' } })).toEqual({ status: 404, code: RPC.methodNotFound });
    expect(verdict({ headers: { 'mcp-method': 'y' } })).toEqual({ status: 400, code: RPC.headerMismatch });
  });
});

describe('methodNotFound', () => {
  it('does not repeat a method of any length', () => {
    expect(methodNotFound('x'.repeat(10_000)).message.length).toBeLessThan(200);
  });
});
