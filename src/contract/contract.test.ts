import { describe, expect, it } from 'vitest';
import { AppError } from '../shared/index.ts';
import { adminRoutes, HTTP_ERROR_CODES, mapError, requestPath, statusOf, type AdminRoute } from './index.ts';

describe('the management API', () => {
  it('has exactly these routes', () => {
    expect(Object.values<AdminRoute>(adminRoutes).map(({ method, path }) => `${method} ${path}`)).toEqual([
      'GET /status',
      'GET /keys',
      'POST /keys',
      'POST /keys/:id/rotate',
      'DELETE /keys/:id',
      'GET /servers',
      'GET /servers/:name',
      'POST /servers/:name/restart',
      'POST /servers/:name/accept',
      'POST /servers/:name/test',
      'GET /tools',
      'POST /tools/call',
      'GET /doctor',
    ]);
  });

  it('fills paths in, encoded', () => {
    expect(requestPath(adminRoutes.rotateKey, { id: 'a/../b' })).toBe('/admin/v1/keys/a%2F..%2Fb/rotate');
    expect(requestPath(adminRoutes.listTools, {}, { endpoint: '/mcp', other: undefined })).toBe('/admin/v1/tools?endpoint=%2Fmcp');
    expect(() => requestPath(adminRoutes.getServer)).toThrow(/needs the parameter name/);
  });

  it('has defaults where a request may leave something out', () => {
    expect(adminRoutes.rotateKey.body.parse(undefined)).toEqual({ overlapSeconds: 86_400 });
    expect(adminRoutes.callTool.body.parse({ name: 'x' })).toEqual({ endpoint: '/mcp', name: 'x', arguments: {} });
    expect(adminRoutes.listTools.query.parse({})).toEqual({ endpoint: '/mcp' });
  });
});

describe('errors', () => {
  it('keep their status', () => {
    const codes = [
      'credential_expired',
      'approver_required',
      'key_not_found',
      'method_not_allowed',
      'rate_limited',
      'storage_busy',
      'deadline_exceeded',
      'made_up',
    ];
    expect(codes.map(statusOf)).toEqual([401, 403, 404, 405, 429, 503, 504, 500]);
    expect(new Set(HTTP_ERROR_CODES).size).toBe(HTTP_ERROR_CODES.length);
  });

  it('say only what callers may know', () => {
    expect(mapError(new AppError('key_not_found', 'No such key.', { detail: 'private', cause: new Error('private') }))).toEqual({
      status: 404,
      code: 'key_not_found',
      message: 'No such key.',
    });
    expect(mapError(new AppError('invalid_request', 'Bad.', { detail: { field: 'name', secret: 'private' } }))).toEqual({
      status: 400,
      code: 'invalid_request',
      message: 'Bad.',
      field: 'name',
    });
    for (const thrown of [
      new Error('private'),
      'private',
      undefined,
      null,
      { statusCode: 200, message: 'private' },
      { statusCode: 422, message: 'private' },
    ])
      expect(JSON.stringify(mapError(thrown))).not.toContain('private');
  });
});
