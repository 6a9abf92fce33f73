import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSealer } from './sealer.ts';

const master = Buffer.alloc(32, 1);
const sealer = createSealer(master);

const PLAIN = '["server","ä ☃ \u0000"]';
const both = [
  ['seal', (purpose: string, plain: string) => sealer.seal(purpose, plain)],
  ['sealStable', (purpose: string, plain: string) => sealer.sealStable(purpose, plain)],
] as const;

describe.each(both)('%s', (_name, seal) => {
  it('opens to the same text, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (plain, purpose) => {
        const whole = Buffer.from(plain, 'utf8').toString('utf8');
        expect(sealer.open(purpose, seal(purpose, whole))).toBe(whole);
      }),
    );
  });

  it('is fit for headers and names, and tells nothing of the text', () => {
    const sealed = seal('task', PLAIN);
    expect(sealed).toMatch(/^v1\.[\w-]{6}\.[\w-]+$/);
    expect(Buffer.from(sealed.split('.')[2] ?? '', 'base64url').toString('latin1')).not.toContain('server');
  });

  it('does not open with any character changed, added or lost', () => {
    const sealed = seal('task', PLAIN);
    for (let i = 0; i < sealed.length; i++) {
      const other = sealed[i] === 'A' ? 'B' : 'A';
      expect(sealer.open('task', sealed.slice(0, i) + other + sealed.slice(i + 1))).toBeUndefined();
      expect(sealer.open('task', sealed.slice(0, i))).toBeUndefined();
      expect(sealer.open('task', sealed.slice(0, i) + sealed.slice(i + 1))).toBeUndefined();
    }
    for (const more of ['A', '=', '.', ' ', '\n']) expect(sealer.open('task', sealed + more)).toBeUndefined();
  });

  it('does not open with any byte changed', () => {
    const sealed = seal('task', PLAIN);
    const [version, kid, body = ''] = sealed.split('.');
    const bytes = Buffer.from(body, 'base64url');
    for (let i = 0; i < bytes.length; i++) {
      for (const bit of [1, 128]) {
        const changed = Buffer.from(bytes);
        changed[i] = (changed[i] ?? 0) ^ bit;
        expect(sealer.open('task', `${version}.${kid}.${changed.toString('base64url')}`)).toBeUndefined();
      }
    }
  });

  it('does not open for another purpose or with another key', () => {
    const sealed = seal('task', PLAIN);
    for (const purpose of ['state', 'tas', 'task ', '']) expect(sealer.open(purpose, sealed)).toBeUndefined();
    const other = createSealer(Buffer.alloc(32, 2));
    expect(other.open('task', sealed)).toBeUndefined();
    // Even under the name of the other key.
    const prefix = other.seal('task', '').split('.').slice(0, 2).join('.');
    expect(other.open('task', `${prefix}.${sealed.split('.')[2]}`)).toBeUndefined();
    expect(createSealer(Buffer.from(master)).open('task', sealed)).toBe(PLAIN);
  });
});

describe('seals', () => {
  it('differ each time, and stable ones never do for the same text and purpose', () => {
    expect(sealer.seal('task', PLAIN)).not.toBe(sealer.seal('task', PLAIN));
    const stable = sealer.sealStable('task', PLAIN);
    expect(sealer.sealStable('task', PLAIN)).toBe(stable);
    expect(createSealer(Buffer.from(master)).sealStable('task', PLAIN)).toBe(stable);
    const nonceOf = (sealed: string): string => Buffer.from(sealed.split('.')[2] ?? '', 'base64url').toString('hex', 0, 12);
    const others = [sealer.sealStable('state', PLAIN), sealer.sealStable('task', `${PLAIN} `), sealer.seal('task', PLAIN)];
    for (const other of others) expect(nonceOf(other)).not.toBe(nonceOf(stable));
  });

  it('of strangers are nothing, however they look', () => {
    const prefix = sealer.seal('task', '').split('.').slice(0, 2).join('.');
    for (const text of ['', '.', 'v1', 'v1.', `${prefix}.`, `${prefix}.AAAA`, `${prefix}.${'A'.repeat(38)}`, 'x'.repeat(10_000)])
      expect(sealer.open('task', text)).toBeUndefined();
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(sealer.open('task', text)).toBeUndefined();
        expect(sealer.open('task', `${prefix}.${text}`)).toBeUndefined();
      }),
    );
    expect(sealer.open('task', `${prefix}.${randomBytes(64).toString('base64url')}`)).toBeUndefined();
  });
});
