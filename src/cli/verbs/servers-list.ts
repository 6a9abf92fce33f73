import type { Command } from 'commander';
import { adminRoutes, type ServerView } from '../../contract/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { say, sayJson, table } from '../output.ts';
import { withManagement } from '../session.ts';

const HEADER = ['NAME', 'TRANSPORT', 'STATE', 'ERAS', 'TOOLS', 'PROMPTS', 'RESOURCES', 'NOTE'];

function row(server: ServerView): string[] {
  const { name, transport, state, eras, tools, prompts, resources, templates, reason, warnings } = server;
  const remark = reason ?? (warnings.length > 0 ? `${warnings.length} warning${warnings.length === 1 ? '' : 's'}: see servers show` : '');
  return [name, transport, state, eras.join(' ') || '-', String(tools), String(prompts), String(resources + templates), remark];
}

export function addServersList(servers: Command, cli: Cli): void {
  const command = withJson(servers.command('list').description('every server and how it is'));
  withHelp(command, ['servers list', 'servers list --json']);
  command.action(
    cli.run(async (options: JsonOption) => {
      const reply = await withManagement(cli.context, (client) => client.ask(adminRoutes.listServers));
      if (options.json) sayJson(cli.context, reply);
      else say(cli.context, table(cli.context, HEADER, reply.servers.map(row)));
    }),
  );
}
