/** The thread that runs the embedded database: protocol bytes in, protocol bytes out, one message at a time. */
import { chmodSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite } from '@electric-sql/pglite';
import { Maintenance } from './maintenance.ts';
import type { EngineCommand, EngineEvent, EngineStart } from './messages.ts';

if (!parentPort) throw new Error('worker.ts runs as a worker thread only');
const port = parentPort;
const start = workerData as EngineStart;

const tell = (event: EngineEvent): void => port.postMessage(event);

// WAL segments are reused instead of kept: without a checkpointer process the defaults let pg_wal grow to a gigabyte.
const startParams = [...PGlite.defaultStartParams, '-c', 'timezone=UTC', '-c', 'max_wal_size=64MB', '-c', 'min_wal_size=32MB'];

const output: string[] = [];
const keepOutput = (text: string): boolean => {
  output.push(text.slice(0, 500));
  if (output.length > 40) output.shift();
  return true;
};

const open = (dataDir: string): Promise<PGlite> =>
  PGlite.create({ dataDir, startParams, relaxedDurability: false, onStdout: keepOutput, onStderr: keepOutput });

/** Made beside its place and moved there when complete: a kill in the middle must not leave half a database. */
async function make(folder: string): Promise<void> {
  const draft = `${folder}.new`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  const db = await open(draft);
  await db.close();
  chmodSync(draft, 0o700);
  renameSync(draft, folder);
}

const flushBytes = 1024 * 1024;

/** Runs one batch of protocol messages; true when the connection is outside any transaction afterwards. */
async function run(db: PGlite, bytes: Uint8Array): Promise<boolean> {
  let parts: Uint8Array[] = [];
  let size = 0;
  let last: Uint8Array | undefined;
  const flush = (): void => {
    if (size === 0) return;
    const answer = new Uint8Array(size);
    let at = 0;
    for (const part of parts) {
      answer.set(part, at);
      at += part.length;
    }
    last = answer.slice(-6);
    port.postMessage(answer, [answer.buffer]);
    parts = [];
    size = 0;
  };
  await db.execProtocolRawStream(bytes, {
    onRawData: (data) => {
      parts.push(data.slice());
      size += data.length;
      if (size >= flushBytes) flush();
    },
  });
  flush();
  return endsIdle(last);
}

/** Whether an answer ends in ReadyForQuery with status "idle" (PostgreSQL 15, 55.7: `Z`, length 5, `I`). */
function endsIdle(tail: Uint8Array | undefined): boolean {
  return tail?.length === 6 && tail[0] === 0x5a && tail[4] === 5 && tail[5] === 0x49;
}

function serve(db: PGlite): void {
  const maintenance = new Maintenance(db);
  let tail: Promise<void> = Promise.resolve();
  let idle = true;
  const enqueue = (work: () => Promise<void>): void => {
    tail = tail.then(work);
  };
  const timer = setInterval(() => {
    enqueue(async () => {
      if (idle) await maintenance.quietMoment();
    });
  }, 5000);
  const close = async (): Promise<void> => {
    clearInterval(timer);
    await db.close();
    tell({ event: 'closed' });
    port.close();
  };
  port.on('message', (message: Uint8Array | EngineCommand) => {
    enqueue(async () => {
      if (!(message instanceof Uint8Array)) return close();
      idle = await run(db, message);
      maintenance.note(message.length);
      if (idle) await maintenance.afterWork();
    });
  });
}

async function main(): Promise<void> {
  try {
    if (start.fresh) await make(start.folder);
    const db = await open(start.folder);
    serve(db);
    tell({ event: 'ready' });
  } catch (error) {
    tell({ event: 'failed', message: error instanceof Error ? error.message : String(error), output });
    port.close();
  }
}

await main();
