import type { Command } from 'commander';
import { adminRoutes, type ToolView } from '../../contract/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { note, printable, say, sayJson, table } from '../output.ts';
import { withManagement } from '../session.ts';

interface ListOptions extends JsonOption {
  readonly endpoint: string;
}

const EFFECTS = { read: 'read', idempotent_write: 'write once', write: 'write' } as const;

const row = (tool: ToolView): string[] => [tool.name, tool.server, EFFECTS[tool.sideEffect], tool.title ?? tool.description ?? ''];

export function addToolsList(tools: Command, cli: Cli): void {
  const command = withJson(tools.command('list').description('the tools of one endpoint'));
  command.option('--endpoint <path>', '/mcp (all servers) or /mcp/<server>', '/mcp');
  withHelp(command, ['tools list', 'tools list --endpoint /mcp/stockpulse', 'tools list --json']);
  command.action(
    cli.run(async ({ endpoint, json }: ListOptions) => {
      const reply = await withManagement(cli.context, (client) => client.ask(adminRoutes.listTools, { query: { endpoint } }));
      if (json) return sayJson(cli.context, reply);
      say(cli.context, table(cli.context, ['NAME', 'SERVER', 'EFFECT', 'WHAT'], reply.tools.map(row)));
      for (const warning of reply.warnings) note(cli.context, `warning: ${printable(warning)}`);
    }),
  );
}
