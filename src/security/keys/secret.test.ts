import { describe, expect, it } from 'vitest';
import { isDamagedSecret, newSecret, redactSecrets, secretHash } from './secret.ts';

describe('secrets', () => {
  it('have one shape that a scanner can match, and never repeat', () => {
    const secrets = Array.from({ length: 1000 }, newSecret);
    for (const secret of secrets) expect(secret).toMatch(/^spk_[0-9a-hjkmnp-tv-z]{39}$/);
    expect(new Set(secrets).size).toBe(1000);
  });

  it('show every single typo, omission and swap of neighbours', () => {
    const secret = newSecret();
    expect(isDamagedSecret(secret)).toBe(false);
    for (let i = 4; i < secret.length; i++) {
      for (const letter of '0123456789abcdefghjkmnpqrstvwxyz')
        expect(isDamagedSecret(secret.slice(0, i) + letter + secret.slice(i + 1))).toBe(letter !== secret[i]);
      expect(isDamagedSecret(secret.slice(0, i) + secret.slice(i + 1))).toBe(true);
      const [a, b] = [secret[i], secret[i + 1] ?? secret[i]];
      expect(isDamagedSecret(`${secret.slice(0, i)}${b}${a}${secret.slice(i + 2)}`)).toBe(a !== b || i === secret.length - 1);
    }
    expect(isDamagedSecret(`${secret}0`)).toBe(true);
    expect(isDamagedSecret('somebody-elses-token')).toBe(false);
  });

  it('are stored as SHA-256', () => {
    expect(secretHash('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('are taken out of text', () => {
    const secret = newSecret();
    expect(redactSecrets(`/mcp/${secret}/x and ${secret}`)).toBe('/mcp/spk_[redacted]/x and spk_[redacted]');
  });
});
