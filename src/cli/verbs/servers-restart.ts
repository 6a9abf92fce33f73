import type { Command } from 'commander';
import { adminRoutes } from '../../contract/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { say, sayJson } from '../output.ts';
import { withManagement } from '../session.ts';

const DEADLINE_MS = 60_000;

export function addServersRestart(servers: Command, cli: Cli): void {
  const command = withJson(servers.command('restart').description('end the connection to a server and connect again').argument('<name>'));
  withHelp(command, ['servers restart files']);
  command.action(
    cli.run(async (name: string, options: JsonOption) => {
      const reply = await withManagement(cli.context, (client) =>
        client.ask(adminRoutes.restartServer, { params: { name } }, { deadlineMs: DEADLINE_MS }),
      );
      if (options.json) sayJson(cli.context, reply);
      else say(cli.context, `${reply.name}: ${reply.state}${reply.reason === undefined ? '' : `, ${reply.reason}`}`);
    }),
  );
}
