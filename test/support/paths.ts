import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export const ROOT = at('../../');
export const LAUNCHER = at('../../bin/stockpulse.js');
const JUDGES = at('../judges/');

/** A file of the judges' own packages. Throws with the remedy where they are not installed. */
export function judgeFile(path: string): string {
  const file = `${JUDGES}node_modules/${path}`;
  if (existsSync(file)) return file;
  throw new Error('The judges are not installed: run `node tools/install-judges.ts` in the project, or `npm test`, which does it.');
}

export const JUDGE_CLIENTS = `${JUDGES}clients.ts`;
export const MATRIX_CLIENTS = `${JUDGES}matrix-clients.ts`;
export const CONFORMANCE_CLIENT = `${JUDGES}conformance-client.ts`;
export const everythingServer = (): string => judgeFile('@modelcontextprotocol/server-everything/dist/index.js');
export const filesystemServer = (): string => judgeFile('@modelcontextprotocol/server-filesystem/dist/index.js');
