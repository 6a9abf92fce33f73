import { chmod, lstat, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { AppError } from '../shared/index.ts';

/** sun_path holds 108 bytes on Linux and 104 elsewhere, the final zero included; the name used while binding is a little longer. */
const MAX_PATH_BYTES = process.platform === 'linux' ? 107 : 103;
const PROBE_MS = 1000;
const BINDING = '.bind-';

/** A place for a unix socket: bound under `bindPath` in a folder of ours, then moved to `path`. */
export interface SocketPlace {
  readonly path: string;
  readonly bindPath: string;
  /** Moves the bound socket to its path, mode 0600. */
  publish(): Promise<void>;
  /** Removes the socket and what was made for it. */
  remove(): Promise<void>;
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const end = (verdict: boolean) => (): void => {
      socket.destroy();
      resolve(verdict);
    };
    socket.setTimeout(PROBE_MS, end(true));
    socket.once('connect', end(true));
    socket.once('error', end(false));
  });
}

/** A socket that nobody serves is left over from a crash; anything else at the path is not ours to remove. */
async function checkReplaceable(path: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there === undefined) return;
  if (!there.isSocket())
    throw new AppError(
      'socket_path_taken',
      `${path} exists and is not a socket: move it away, or use another data folder (STOCKPULSE_DATA_DIR).`,
    );
  if (await answers(path))
    throw new AppError('socket_in_use', `Another process serves ${path}: stop it, or use another data folder (STOCKPULSE_DATA_DIR).`);
}

/**
 * Prepares the place of a unix socket. The socket is bound in a fresh 0700 folder and moved into place, so that at no moment another
 * user could open it, whatever the umask. A path that is too long for the kernel is replaced by one in the system's temporary folder.
 * Only the owner of the data folder may call this. Throws `socket_path_taken`, `socket_in_use`.
 */
export async function prepareSocket(wanted: string): Promise<SocketPlace> {
  const room = Buffer.byteLength(join(dirname(wanted), `${BINDING}XXXXXX`, 's'));
  const fits = Math.max(room, Buffer.byteLength(wanted)) <= MAX_PATH_BYTES;
  const parent = fits ? dirname(wanted) : await mkdtemp(join(tmpdir(), 'stockpulse-'));
  await mkdir(parent, { recursive: true, mode: 0o700 });
  const path = join(parent, fits ? basename(wanted) : 's.sock');
  await checkReplaceable(path);
  const folder = await mkdtemp(join(parent, BINDING));
  const bindPath = join(folder, 's');
  return {
    path,
    bindPath,
    async publish() {
      await chmod(bindPath, 0o600);
      await rename(bindPath, path);
      await rm(folder, { recursive: true, force: true });
    },
    async remove() {
      await rm(path, { force: true });
      await rm(folder, { recursive: true, force: true });
      if (!fits) await rm(parent, { recursive: true, force: true });
    },
  };
}
