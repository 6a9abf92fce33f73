import { pathToFileURL } from 'node:url';
import type { Judges } from './judge-port.ts';
import type { MatrixJudges } from './matrix-port.ts';
import { JUDGE_CLIENTS, judgeFile, MATRIX_CLIENTS } from './paths.ts';

export const HTTP_CLIENTS = [
  'SDK v2 modern',
  'SDK v2 auto',
  'SDK v2 legacy',
  'SDK v1',
  'Inspector legacy',
  'Inspector auto',
  'Inspector modern',
] as const;

export const STDIO_CLIENTS = ['SDK v2 modern', 'SDK v2 auto', 'SDK v2 legacy', 'SDK v1'] as const;

/** The clients of others. The path is computed, so that the root package compiles without them. */
export async function loadJudges(): Promise<Judges> {
  judgeFile('@modelcontextprotocol/client/package.json');
  const module = (await import(/* @vite-ignore */ pathToFileURL(JUDGE_CLIENTS).href)) as { judges: Judges };
  return module.judges;
}

/** The clients of the matrix, which show all that they see. */
export async function loadMatrixJudges(): Promise<MatrixJudges> {
  judgeFile('@modelcontextprotocol/client/package.json');
  const module = (await import(/* @vite-ignore */ pathToFileURL(MATRIX_CLIENTS).href)) as { matrixJudges: MatrixJudges };
  return module.matrixJudges;
}
