import type { Command } from 'commander';
import { adminRoutes, type ApiKeyReply } from '../../contract/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { say, sayJson, table } from '../output.ts';
import { withManagement } from '../session.ts';

interface ListOptions extends JsonOption {
  readonly all?: true;
}

const HEADER = ['ID', 'NAME', 'STATE', 'ENDS WITH', 'SCOPES', 'EXPIRES', 'LAST USED'];

/** `2026-03-02 15:30Z`: seconds are noise in a list. */
const minute = (moment: string | null): string => (moment === null ? '-' : `${moment.slice(0, 16).replace('T', ' ')}Z`);

const row = (key: ApiKeyReply): string[] => [
  key.id,
  key.name,
  key.state,
  key.hint,
  key.scopes.join(' '),
  minute(key.expiresAt),
  minute(key.lastUsedAt),
];

export function addKeysList(keys: Command, cli: Cli): void {
  const command = withJson(keys.command('list').description('API keys; never their secrets')).option(
    '--all',
    'revoked and expired ones too',
  );
  withHelp(command, ['keys list', 'keys list --all --json']);
  command.action(
    cli.run(async (options: ListOptions) => {
      const reply = await withManagement(cli.context, (client) => client.ask(adminRoutes.listKeys));
      const shown = options.all ? reply.keys : reply.keys.filter((key) => key.state === 'live');
      if (options.json) sayJson(cli.context, { keys: shown });
      else say(cli.context, table(cli.context, HEADER, shown.map(row)));
    }),
  );
}
