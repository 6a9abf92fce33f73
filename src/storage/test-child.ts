/** What the crash tests start and kill: `<verb> <data folder> [database URL]`. Every line is written at once, so that a kill loses none. */
import { writeSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import { acquireOwnership, AlreadyOwnedError, openStorage, readOwner, type Storage } from './index.ts';

const say = (text: string): void => {
  writeSync(1, `${text}\n`);
};

const open = (dataDir: string, databaseUrl: string | undefined): Promise<Storage> => openStorage({ dataDir, databaseUrl, migrations: [] });

/** Holds the folder until killed. */
async function hold(dataDir: string): Promise<void> {
  try {
    const ownership = await acquireOwnership(dataDir);
    ownership.describe({ pid: process.pid, url: 'http://127.0.0.1:1', startedAt: new Date().toISOString(), version: '9.9.9' });
    say('owned');
    await wait(600_000);
  } catch (error) {
    say(error instanceof AlreadyOwnedError ? `refused ${JSON.stringify(error.owner)}` : `error ${String(error)}`);
  }
}

/** Opens the database, says so, and waits to be killed. */
async function start(dataDir: string, databaseUrl?: string): Promise<void> {
  say('starting');
  const storage = await open(dataDir, databaseUrl);
  await sql`create table if not exists starts (pid int)`.execute(storage.db);
  await sql`insert into starts values (${process.pid})`.execute(storage.db);
  say('ready');
  await wait(600_000);
}

/** Writes single rows and transactions of three, from several callers at once, and says each after it was acknowledged. */
async function write(dataDir: string, databaseUrl?: string): Promise<void> {
  const { db } = await open(dataDir, databaseUrl);
  await sql`create table if not exists written (id text primary key, batch text not null, pad text not null)`.execute(db);
  const round = `${process.pid}-${Date.now()}`;
  const pad = 'x'.repeat(700);
  const writer = async (name: number): Promise<never> => {
    for (let n = 0; ; n += 1) {
      const batch = `${round}-${name}-${n}`;
      await db.transaction().execute(async (trx) => {
        for (const part of ['a', 'b', 'c']) await sql`insert into written values (${batch + part}, ${batch}, ${pad})`.execute(trx);
      });
      say(`ack ${batch}`);
      await sql`update written set pad = ${`${pad}!`} where batch = ${batch}`.execute(db);
    }
  };
  await Promise.all([1, 2, 3].map(writer));
}

function probe(dataDir: string): void {
  say(`owner ${JSON.stringify(readOwner(dataDir) ?? null)}`);
}

const [verb, dataDir = '', databaseUrl] = process.argv.slice(2);
if (verb === 'hold') await hold(dataDir);
else if (verb === 'start') await start(dataDir, databaseUrl);
else if (verb === 'write') await write(dataDir, databaseUrl);
else if (verb === 'probe') probe(dataDir);
