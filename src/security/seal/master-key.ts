import { createHash, randomBytes } from 'node:crypto';
import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../../shared/index.ts';

const FILE = 'master.key';
const BYTES = 32;

/**
 * The master key: from the setting if there is one (any text of at least 16 characters, hashed), else from `master.key` in the data folder,
 * which is made with mode 0600 when it is missing. Throws `master_key_invalid`.
 */
export function masterKey(dataDir: string, setting: string | undefined): Buffer {
  if (setting !== undefined) {
    if (setting.length < 16)
      throw new AppError(
        'master_key_invalid',
        'STOCKPULSE_MASTER_KEY must have at least 16 characters; 32 random bytes as base64 are best.',
      );
    return createHash('sha256').update(setting).digest();
  }
  const path = join(dataDir, FILE);
  return readKey(path) ?? makeKey(dataDir, path);
}

function readKey(path: string): Buffer | undefined {
  let text: string;
  try {
    text = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const key = Buffer.from(text, 'base64url');
  if (key.length === BYTES) return key;
  throw new AppError(
    'master_key_invalid',
    `${path} does not hold a master key. Restore it from a backup, or remove it: what was sealed with it cannot be opened then.`,
  );
}

/** Written aside and linked into place: a crash leaves a whole key or none, and of two processes one wins. */
function makeKey(dataDir: string, path: string): Buffer {
  const aside = join(dataDir, `${FILE}.${process.pid}.new`);
  writeFileSync(aside, `${randomBytes(BYTES).toString('base64url')}\n`, { mode: 0o600 });
  try {
    linkSync(aside, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(aside, { force: true });
  }
  return readKey(path) as Buffer;
}
