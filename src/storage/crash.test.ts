import { rm } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, describe, expect, it } from 'vitest';
import { openStorage } from './index.ts';
import { removeTemplate, scale, startChild, targets, tempFolder, title, type Place, type Target } from './test-support.ts';

afterAll(removeTemplate);

const rounds = Math.max(3, Math.min(20, Math.round(3 * scale)));
const cycles = Math.max(5, Math.min(50, Math.round(5 * scale)));

interface Batch {
  batch: string;
  rows: number;
}

/** One writer, killed at a random moment; the batches it was told are safe. */
async function writeUntilKilled(place: Place): Promise<string[]> {
  const child = startChild('write', place.dataDir, ...(place.databaseUrl === undefined ? [] : [place.databaseUrl]));
  await child.line('ack ');
  await wait(Math.random() * 600);
  await child.kill();
  return child.lines.filter((line) => line.startsWith('ack ')).map((line) => line.slice('ack '.length));
}

const suite = (target: Target) => (): void => {
  it(`loses no acknowledged row and keeps no half of a transaction (${rounds} rounds)`, async () => {
    const place = await target.place();
    const acknowledged = new Set<string>();
    for (let round = 0; round < rounds; round += 1) {
      for (const batch of await writeUntilKilled(place)) acknowledged.add(batch);
      const storage = await place.open();
      const { rows } = await sql<Batch>`select batch, count(*)::int as rows from written group by batch`.execute(storage.db);
      await storage.close();
      const present = new Map(rows.map((row) => [row.batch, row.rows]));
      expect([...acknowledged].filter((batch) => present.get(batch) !== 3)).toEqual([]);
      expect(rows.filter((row) => row.rows !== 3)).toEqual([]);
    }
    expect(acknowledged.size).toBeGreaterThan(rounds);
    await place.remove();
  });
};

for (const target of targets) describe.skipIf(target.skip !== undefined)(`kill -9 during writes on ${title(target)}`, suite(target));

describe('kill -9 during the start of the embedded database', () => {
  it(`never leaves a folder that cannot be opened (${cycles} cycles, from an empty folder on)`, async () => {
    const dataDir = await tempFolder();
    let completed = 0;
    for (let cycle = 0; cycle < cycles; cycle += 1) {
      const child = startChild('start', dataDir);
      const ready = child.line('ready').then(
        () => true,
        () => false,
      );
      await child.line('starting');
      // The first ones die while the folder is made, the later ones during recovery.
      await wait(Math.random() * (completed === 0 ? 4000 : 1000));
      await child.kill();
      if (await ready) completed += 1;
    }
    const storage = await openStorage({ dataDir, migrations: [] });
    const { rows } = await sql<{ pid: number }>`select pid from starts`.execute(storage.db).catch(() => ({ rows: [] }));
    expect(rows.length).toBeGreaterThanOrEqual(completed);
    await storage.close();
    await rm(dataDir, { recursive: true, force: true });
  });
});
