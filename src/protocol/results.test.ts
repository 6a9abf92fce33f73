import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { META } from './meta.ts';
import { stampResult } from './results.ts';
import { objectSource, runs, textOf } from './test-support.ts';

const INFO = { name: 'gw', version: '1' };
const CACHE = { ttlMs: 5, cacheScope: 'private' } as const;
const stamped = (text: string, cache?: typeof CACHE): unknown => JSON.parse(stampResult(textOf(text), { serverInfo: INFO, cache }));

describe('stampResult (S26 basic, "ResultType", "Per-response protocol fields"; PROTOCOL A5)', () => {
  it('adds what is missing', () => {
    verifies('basic-result-type');
    expect(stamped('{"content":[]}')).toEqual({ content: [], resultType: 'complete', _meta: { [META.serverInfo]: INFO } });
    expect(stamped('{}', CACHE)).toEqual({ resultType: 'complete', _meta: { [META.serverInfo]: INFO }, ttlMs: 5, cacheScope: 'private' });
  });

  it('keeps what the upstream stated', () => {
    const text = `{ "resultType":"task", "ttlMs":9, "cacheScope":"public", "_meta":{"${META.serverInfo}":{"name":"up","version":"2"},"x":1.0} }`;
    expect(stampResult(textOf(text), { serverInfo: INFO, cache: CACHE })).toBe(text);
  });

  it.each([
    ['{"ttlMs":-1,"cacheScope":"all"}', 5, 'private'],
    ['{"ttlMs":1.5,"cacheScope":null}', 5, 'private'],
    ['{"ttlMs":"7","cacheScope":"public"}', 5, 'public'],
    ['{"ttlMs":0}', 0, 'private'],
  ])('replaces cache hints that are none: %s', (text, ttlMs, cacheScope) => {
    expect(stamped(text, CACHE)).toMatchObject({ ttlMs, cacheScope });
  });

  it.each(['null', '5', '[]', '"x"'])('replaces a _meta that is %s', (meta) => {
    expect(stamped(`{"_meta":${meta},"resultType":null}`)).toEqual({ resultType: 'complete', _meta: { [META.serverInfo]: INFO } });
  });

  it('adds to a _meta without touching the rest of it', () => {
    const text = '{"a":12345678901234567890,"_meta":{ "k" : 1.0 ,"constructor":-0}}';
    const result = stampResult(textOf(text), { serverInfo: INFO });
    expect(result).toContain('"a":12345678901234567890');
    expect(result).toContain('"k" : 1.0,"constructor":-0');
    expect(result).not.toContain('function');
  });

  it('only adds, for any result', () => {
    fc.assert(
      fc.property(objectSource(), (text) => {
        const before = JSON.parse(text) as Record<string, unknown>;
        const after = stamped(text, CACHE) as Record<string, unknown>;
        const ours = new Set(['resultType', '_meta', 'ttlMs', 'cacheScope']);
        for (const name of Object.keys(before)) if (!ours.has(name)) expect(after[name]).toEqual(before[name]);
        expect(
          Object.keys(after)
            .filter((name) => !Object.hasOwn(before, name))
            .every((name) => ours.has(name)),
        ).toBe(true);
        expect(after).toMatchObject({ _meta: { [META.serverInfo]: INFO }, ttlMs: 5, cacheScope: 'private' });
      }),
      runs(300),
    );
  });
});
