import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { AppError, randomText } from '../../shared/index.ts';

const PREFIX = 'spk_';
/** 32 characters of base32: 160 bits. */
const BODY_LENGTH = 32;
/** 32 bits of CRC in base32. */
const CHECK_LENGTH = 7;
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';
const OURS = new RegExp(`^${PREFIX}[${ALPHABET}]{${BODY_LENGTH + CHECK_LENGTH}}$`);
const ANYWHERE = /spk_[0-9A-Za-z]{8,}/g;
const SUPPLIED = /^[\x21-\x7e]{24,256}$/;

function checksum(body: string): string {
  let rest = crc32(PREFIX + body);
  let text = '';
  for (let i = 0; i < CHECK_LENGTH; i++) {
    text = (ALPHABET[rest & 31] as string) + text;
    rest >>>= 5;
  }
  return text;
}

/** A new secret: `spk_`, 160 random bits and a checksum, so that a typo is told apart from an unknown key and scanners can find it. */
export function newSecret(): string {
  const body = randomText(BODY_LENGTH);
  return PREFIX + body + checksum(body);
}

/** Whether a text that begins like one of our secrets cannot be one: it was cut, extended or mistyped. */
export function isDamagedSecret(text: string): boolean {
  if (!text.startsWith(PREFIX)) return false;
  if (!OURS.test(text)) return true;
  return checksum(text.slice(PREFIX.length, PREFIX.length + BODY_LENGTH)) !== text.slice(-CHECK_LENGTH);
}

/**
 * What is stored of a secret. SHA-256 without salt or stretching is enough because secrets are not passwords: they carry 160 random
 * bits (or are chosen by an operator who is told so), so there is no dictionary to try, and a look-up costs a microsecond.
 */
export function secretHash(secret: string): string {
  return hash('sha256', secret, 'hex');
}

/** The last characters, for telling keys apart in a list. */
export function secretHint(secret: string): string {
  return secret.slice(-4);
}

/** Refuses (`invalid_secret`) a supplied secret that could not travel in a header or is too short to be high in entropy. */
export function checkSuppliedSecret(secret: string): void {
  if (SUPPLIED.test(secret)) return;
  throw new AppError(
    'invalid_secret',
    'A supplied key must be 24 to 256 visible ASCII characters without spaces, chosen at random (for example: openssl rand -hex 32).',
  );
}

/** The text with anything that looks like one of our secrets taken out; for logs of what others sent. */
export function redactSecrets(text: string): string {
  return text.includes(PREFIX) ? text.replace(ANYWHERE, 'spk_[redacted]') : text;
}
