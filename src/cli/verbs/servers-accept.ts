import type { Command } from 'commander';
import { adminRoutes } from '../../contract/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { say, sayJson } from '../output.ts';
import { withManagement } from '../session.ts';

const DEADLINE_MS = 60_000;

export function addServersAccept(servers: Command, cli: Cli): void {
  const description = 'accept changed definitions of tools as the server shows them now; "servers show" says what changed';
  const command = withJson(
    servers.command('accept').description(description).argument('<name>').argument('[tools...]', 'all that wait by default'),
  );
  withHelp(command, ['servers accept files', 'servers accept files read_file']);
  command.action(
    cli.run(async (name: string, tools: string[], options: JsonOption) => {
      const body = tools.length === 0 ? {} : { tools };
      const reply = await withManagement(cli.context, (client) =>
        client.ask(adminRoutes.acceptTools, { params: { name }, body }, { deadlineMs: DEADLINE_MS }),
      );
      if (options.json) sayJson(cli.context, reply);
      else
        say(
          cli.context,
          reply.accepted.length === 0 ? `${name}: nothing waits to be accepted` : `${name}: accepted ${reply.accepted.join(', ')}`,
        );
    }),
  );
}
