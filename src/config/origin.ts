import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The file that the configuration was read from, or looked for, and what it held. */
export interface ConfigOrigin {
  readonly file: string;
  /** Undefined where there was no file. */
  readonly digest: string | undefined;
}

export function originOf(file: string, bytes: Uint8Array | undefined): ConfigOrigin {
  return { file, digest: bytes && createHash('sha256').update(bytes).digest('hex') };
}

function bytesOf(file: string): Uint8Array | undefined {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

/** What became of the file since, in words; undefined if it is the same. */
export function changeOf({ file, digest }: ConfigOrigin): string | undefined {
  const now = originOf(file, bytesOf(file)).digest;
  if (now === digest) return undefined;
  if (now === undefined) return `${file} is gone or cannot be read; the running gateway still uses what it held.`;
  return digest === undefined
    ? `${file} appeared since the gateway was started, which does not use it.`
    : `${file} changed since the gateway was started, which still uses what it held then.`;
}
