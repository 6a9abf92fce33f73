import { createCipheriv, createDecipheriv, createHash, createHmac, hkdfSync, randomBytes } from 'node:crypto';

const VERSION = 'v1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** Seals small texts that pass through strangers (request states, task ids, cursors): confidential, tamper-proof, bound to a purpose. */
export interface Sealer {
  /** A different text each time. */
  seal(purpose: string, plain: string): string;
  /** The same text for the same plain text: for ids that are compared. */
  sealStable(purpose: string, plain: string): string;
  /** Undefined for anything that this master key did not seal for this purpose. */
  open(purpose: string, sealed: string): string | undefined;
}

function derive(master: Buffer, info: string): Buffer {
  return Buffer.from(hkdfSync('sha256', master, '', info, KEY_BYTES));
}

/** AES-256-GCM under keys derived from the master key; the key's id stands in front, so that another key is told from damage (PROTOCOL C4). */
export function createSealer(master: Buffer): Sealer {
  const key = derive(master, 'stockpulse seal');
  const nonceKey = derive(master, 'stockpulse seal nonce');
  const kid = createHash('sha256').update(derive(master, 'stockpulse seal id')).digest('base64url').slice(0, 6);
  const prefix = `${VERSION}.${kid}.`;

  function sealWith(nonce: Buffer, purpose: string, plain: string): string {
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(Buffer.from(`${prefix}${purpose}`));
    const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    return prefix + Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64url');
  }

  return {
    seal: (purpose, plain) => sealWith(randomBytes(NONCE_BYTES), purpose, plain),
    sealStable(purpose, plain) {
      // A nonce made from purpose and text repeats only where both do, and then the whole seal is the same.
      const nonce = createHmac('sha256', nonceKey).update(`${purpose}\0${plain}`).digest().subarray(0, NONCE_BYTES);
      return sealWith(nonce, purpose, plain);
    },
    open(purpose, sealed) {
      if (!sealed.startsWith(prefix)) return undefined;
      const bytes = Buffer.from(sealed.slice(prefix.length), 'base64url');
      if (bytes.length < NONCE_BYTES + TAG_BYTES || bytes.toString('base64url') !== sealed.slice(prefix.length)) return undefined;
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
      decipher.setAAD(Buffer.from(`${prefix}${purpose}`));
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
      try {
        const body = bytes.subarray(NONCE_BYTES, -TAG_BYTES);
        return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
      } catch {
        return undefined;
      }
    },
  };
}
