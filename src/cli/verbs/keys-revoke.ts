import type { Command } from 'commander';
import { adminRoutes } from '../../contract/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { keyFor } from '../keys.ts';
import { say, sayJson } from '../output.ts';
import { withManagement } from '../session.ts';

export function addKeysRevoke(keys: Command, cli: Cli): void {
  const command = withJson(keys.command('revoke').description('end a key at once').argument('<key>', 'id or name'));
  withHelp(command, ['keys revoke research-bot']);
  command.action(
    cli.run(async (word: string, options: JsonOption) => {
      const reply = await withManagement(cli.context, async (client) => {
        const { id } = await keyFor(client, word);
        return client.ask(adminRoutes.revokeKey, { params: { id } });
      });
      if (options.json) sayJson(cli.context, reply);
      else say(cli.context, `Key ${reply.key.name} (${reply.key.id}) is revoked.`);
    }),
  );
}
