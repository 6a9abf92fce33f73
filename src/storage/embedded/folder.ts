import { chmodSync, existsSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { storageError } from '../errors.ts';

/** The major version of PostgreSQL in the pinned `@electric-sql/pglite`; a folder of another one cannot be read. */
export const embeddedMajor = 18;

/** The releases of `@electric-sql/pglite-tools` that bring an engine of an older major with them. */
const toolsOfMajor: Readonly<Record<string, string>> = { '17': '0.2', '18': '0.4' };

export interface DatabaseFolder {
  readonly folder: string;
  /** Nothing is there yet. */
  readonly fresh: boolean;
}

/** Looks at `${dataDir}/pgdata` before anything is started. Throws `storage_version` or `data_dir_unusable`. */
export function inspectFolder(dataDir: string): DatabaseFolder {
  const folder = join(dataDir, 'pgdata');
  if (!existsSync(folder)) return { folder, fresh: true };
  const versionFile = join(folder, 'PG_VERSION');
  if (!existsSync(versionFile)) {
    if (readdirSync(folder).length > 0) throw notADatabase(folder);
    rmdirSync(folder);
    return { folder, fresh: true };
  }
  const major = readFileSync(versionFile, 'utf8').trim();
  if (major !== String(embeddedMajor)) throw otherMajor(folder, major);
  chmodSync(folder, 0o700);
  return { folder, fresh: false };
}

function notADatabase(folder: string): Error {
  return storageError(
    'data_dir_unusable',
    `${folder} is not empty and holds no database (no PG_VERSION). Move it away, or restore it whole from a backup, and start again.`,
  );
}

function otherMajor(folder: string, major: string): Error {
  const lines = [
    `${folder} was written by PostgreSQL ${major}; this release reads PostgreSQL ${embeddedMajor} only. Nothing was changed.`,
    'Start the release of StockPulse MCP that wrote it, or move the data to a PostgreSQL server:',
    ...dumpCommand(folder, major),
    'Load dump.sql into a new database with psql, and start with DATABASE_URL.',
  ];
  return storageError('storage_version', lines.join('\n'), { detail: { folder, major } });
}

function dumpCommand(folder: string, major: string): string[] {
  const tools = toolsOfMajor[major];
  if (tools === undefined)
    return [`dump it with pg_dump of @electric-sql/pglite-tools, in the release whose engine is PostgreSQL ${major}.`];
  const script =
    `import{PGlite}from'@electric-sql/pglite';import{pgDump}from'@electric-sql/pglite-tools/pg_dump';` +
    `const pg=await PGlite.create(process.argv[1]);process.stdout.write(await(await pgDump({pg})).text());await pg.close()`;
  return [
    'dump it, in an empty folder, with the engine that wrote it:',
    `  npm install @electric-sql/pglite-tools@${tools}`,
    `  node --input-type=module -e "${script}" "${folder}" > dump.sql`,
  ];
}
