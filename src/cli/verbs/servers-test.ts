import type { Command } from 'commander';
import { adminRoutes, type ServerTest } from '../../contract/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { EXIT } from '../failure.ts';
import { facts, printable, resourceText, say, sayJson } from '../output.ts';
import { withManagement } from '../session.ts';

const DEADLINE_MS = 90_000;

function description(test: ServerTest): string {
  const { info } = test;
  const lines = [
    facts([
      [test.name, test.ok ? 'works' : 'does not work'],
      ['problem', test.problem],
      ['what to do', test.advice],
      ['implementation', info && `${info.name} ${info.version}`],
      ['transport', test.transport],
      ['eras', test.eras.join(' ')],
      ['revision', test.revision],
      ['tools', test.ok ? String(test.tools) : undefined],
      ['prompts', test.ok ? String(test.prompts) : undefined],
      ['resources', test.ok ? resourceText(test) : undefined],
      ['took', `${Math.round(test.durationMs)} ms`],
    ]),
  ];
  return [...lines, ...test.warnings.map((warning) => `warning: ${printable(warning)}`)].join('\n');
}

export function addServersTest(servers: Command, cli: Cli): void {
  const command = withJson(
    servers.command('test').description('connect to a server once, apart from the running connection').argument('<name>'),
  );
  withHelp(command, ['servers test files', 'servers test files --json']);
  command.action(
    cli.run(async (name: string, options: JsonOption) => {
      const reply = await withManagement(cli.context, (client) =>
        client.ask(adminRoutes.testServer, { params: { name } }, { deadlineMs: DEADLINE_MS }),
      );
      if (options.json) sayJson(cli.context, reply);
      else say(cli.context, description(reply));
      return reply.ok ? EXIT.ok : EXIT.failed;
    }),
  );
}
