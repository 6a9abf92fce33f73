import { createCipheriv, createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/** The key that wraps the keys of records. */
export interface WrappingKey {
  /** Tells it from others, and nothing of it. */
  readonly id: string;
  readonly bytes: Buffer;
}

const derive = (master: Buffer, info: string): Buffer => Buffer.from(hkdfSync('sha256', master, '', info, KEY_BYTES));

/** The wrapping key of a master key. */
export function wrappingKey(master: Buffer): WrappingKey {
  const id = createHash('sha256').update(derive(master, 'stockpulse vault id')).digest('base64url').slice(0, 12);
  return { id, bytes: derive(master, 'stockpulse vault') };
}

/** A secret as it is stored: under a key of its own, which is wrapped by the wrapping key. Both parts are bound to what the secret is. */
export interface Envelope {
  readonly keyId: string;
  readonly wrapped: string;
  readonly body: string;
}

function seal(key: Buffer, aad: string, plain: Buffer): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(Buffer.from(aad));
  return Buffer.concat([nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64');
}

/** Undefined for anything that this key did not seal as this. */
function open(key: Buffer, aad: string, sealed: string): Buffer | undefined {
  const bytes = Buffer.from(sealed, 'base64');
  if (bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(Buffer.from(aad));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return undefined;
  }
}

/** Seals a text under a new key. `identity` is what the secret is: the envelope opens as nothing else. */
export function wrap(key: WrappingKey, identity: string, plain: string): Envelope {
  const own = randomBytes(KEY_BYTES);
  const body = seal(own, `body ${identity}`, Buffer.from(plain, 'utf8'));
  const wrapped = seal(key.bytes, `key ${identity}`, own);
  own.fill(0);
  return { keyId: key.id, wrapped, body };
}

/** The text; undefined if the envelope is damaged, another's, or under another key. */
export function unwrap(key: WrappingKey, identity: string, { wrapped, body }: Envelope): string | undefined {
  const own = open(key.bytes, `key ${identity}`, wrapped);
  if (own === undefined) return undefined;
  const plain = open(own, `body ${identity}`, body);
  own.fill(0);
  return plain?.toString('utf8');
}

/** The same secret under another wrapping key; its text is not touched. */
export function rewrap(from: WrappingKey, to: WrappingKey, identity: string, { wrapped, body }: Envelope): Envelope | undefined {
  const own = open(from.bytes, `key ${identity}`, wrapped);
  if (own === undefined) return undefined;
  const again = seal(to.bytes, `key ${identity}`, own);
  own.fill(0);
  return { keyId: to.id, wrapped: again, body };
}
