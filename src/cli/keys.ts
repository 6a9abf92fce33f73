import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { adminRoutes, type ApiKeyReply } from '../contract/index.ts';
import type { CliContext } from './context.ts';
import { CliError, EXIT } from './failure.ts';
import type { ManagementClient } from './management.ts';

export const APPROVER_OPTION = [
  '--approver-key-file <file>',
  'file with an approver key, `-` for stdin; needed for keys that may approve',
] as const;

/** The approver key from its file: it never stands on a command line, where every process could read it. */
export async function approverKey(context: CliContext, file: string | undefined): Promise<string | undefined> {
  if (file === undefined) return undefined;
  try {
    const content = file === '-' ? await text(context.stdin) : await readFile(resolve(context.cwd, file), 'utf8');
    return content.trim();
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
    throw new CliError('invalid_request', `The approver key cannot be read from ${file} (${reason}).`, EXIT.usage);
  }
}

/** The live key that `word` means: an id, or a name that only one live key has. */
export async function keyFor(client: ManagementClient, word: string): Promise<ApiKeyReply> {
  const { keys } = await client.ask(adminRoutes.listKeys);
  const byId = keys.find((key) => key.id === word);
  if (byId !== undefined) return byId;
  const named = keys.filter((key) => key.name === word && key.state === 'live');
  const [only] = named;
  if (only !== undefined && named.length === 1) return only;
  if (only === undefined) throw new CliError('key_not_found', `No key has the id or name ${word}. \`stockpulse keys list\` shows them.`);
  throw new CliError(
    'key_ambiguous',
    `${named.length} live keys are named ${word}. Give the id of one: ${named.map((key) => key.id).join(', ')}.`,
  );
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of `90s`, `30m`, `24h`, `2d` or `0`. Throws CliError `invalid_request`. */
export function seconds(word: string): number {
  if (word === '0') return 0;
  const found = /^(\d{1,7})([smhd])$/.exec(word);
  const unit = UNITS[found?.[2] ?? ''];
  if (found === null || unit === undefined)
    throw new CliError('invalid_request', `${word} is not a time: write 90s, 30m, 24h, 2d or 0.`, EXIT.usage);
  return Number(found[1]) * unit;
}
