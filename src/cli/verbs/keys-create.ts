import type { Command } from 'commander';
import { adminRoutes } from '../../contract/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { CliError, EXIT } from '../failure.ts';
import { APPROVER_OPTION, approverKey } from '../keys.ts';
import { say, sayJson } from '../output.ts';
import { withManagement } from '../session.ts';

interface CreateOptions extends JsonOption {
  readonly scope?: readonly string[];
  readonly expiresDays?: string;
  readonly approverKeyFile?: string;
}

/** Scopes stand apart by blanks or commas. */
const scopesOf = (words: readonly string[]): string[] => words.flatMap((word) => word.split(',')).filter((scope) => scope !== '');

function days(word: string | undefined): number | undefined {
  if (word === undefined) return undefined;
  const count = Number(word);
  if (Number.isFinite(count) && count > 0) return count;
  throw new CliError('invalid_request', `--expires-days wants a number of days, not ${word}.`, EXIT.usage);
}

export function addKeysCreate(keys: Command, cli: Cli): void {
  const command = withJson(
    keys.command('create').description('make an API key; its secret is shown once').argument('<name>', 'who it is for'),
  );
  command
    .option('--scope <scope...>', 'what it may do (default: market:read)')
    .option('--expires-days <days>', 'it ends after so many days (default: it does not expire)')
    .option(...APPROVER_OPTION);
  withHelp(command, [
    'keys create research-bot',
    'keys create trader --scope market:read account:read trade:preview trade:write --expires-days 30',
    'keys create ci --json',
  ]);
  command.action(
    cli.run(async (name: string, options: CreateOptions) => {
      const expiresInDays = days(options.expiresDays);
      const approver = await approverKey(cli.context, options.approverKeyFile);
      const body = { name, scopes: scopesOf(options.scope ?? ['market:read']), ...(expiresInDays !== undefined && { expiresInDays }) };
      const reply = await withManagement(cli.context, (client) => client.ask(adminRoutes.createKey, { body }, { approver }));
      if (options.json) return sayJson(cli.context, reply);
      const { key, secret } = reply;
      say(cli.context, `Key ${key.name} (${key.id}): ${key.scopes.join(' ')}. Its secret, not shown again:\n  ${secret}`);
    }),
  );
}
