import type { Command } from 'commander';
import { adminRoutes, type ServerDetail } from '../../contract/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { facts, printable, resourceText, say, sayJson } from '../output.ts';
import { withManagement } from '../session.ts';

function description(server: ServerDetail): string {
  const { info } = server;
  const lines = [
    facts([
      ['name', server.name],
      ['state', server.state],
      ['reason', server.reason],
      ['next attempt', server.retryAt],
      ['ready since', server.since],
      ['transport', server.transport],
      ['endpoint', server.endpoint],
      ['implementation', info && `${info.name} ${info.version}`],
      ['eras', server.eras.join(' ')],
      ['capabilities', Object.keys(server.capabilities).join(' ')],
      ['tools', server.toolNames.join(' ') || 'none'],
      ['prompts', String(server.prompts)],
      ['resources', resourceText(server)],
      [
        'to legacy clients',
        server.legacy && `${server.legacy.tools} tools, ${server.legacy.prompts} prompts, resources: ${resourceText(server.legacy)}`,
      ],
    ]),
  ];
  for (const warning of server.warnings) lines.push(`warning: ${printable(warning)}`);
  for (const { tool, scope, differences } of server.waiting) {
    lines.push(
      '',
      `${printable(tool)} (${scope}) is not what was accepted. "stockpulse servers accept ${server.name} ${printable(tool)}" accepts it.`,
    );
    for (const { path, before, now } of differences)
      lines.push(`  ${printable(path)}`, `    before: ${printable(before ?? '(nothing)')}`, `    now:    ${printable(now ?? '(nothing)')}`);
  }
  if (server.instructions !== undefined) lines.push('', 'instructions:', printable(server.instructions));
  return lines.join('\n');
}

export function addServersShow(servers: Command, cli: Cli): void {
  const command = withJson(servers.command('show').description('one server in full').argument('<name>', 'its name in the configuration'));
  withHelp(command, ['servers show files', 'servers show files --json']);
  command.action(
    cli.run(async (name: string, options: JsonOption) => {
      const reply = await withManagement(cli.context, (client) => client.ask(adminRoutes.getServer, { params: { name } }));
      if (options.json) sayJson(cli.context, reply);
      else say(cli.context, description(reply));
    }),
  );
}
