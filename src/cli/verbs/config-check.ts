import type { Command } from 'commander';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { say, sayJson } from '../output.ts';
import { readSettings } from '../settings.ts';

export function addConfigCheck(config: Command, cli: Cli): void {
  const command = withJson(config.command('check').description('read the configuration and say what is wrong with it'));
  withHelp(command, ['config check', 'config check --json']);
  command.action(
    cli.run((options: JsonOption) => {
      const { source, warnings, config: read } = readSettings(cli.context);
      if (options.json) return sayJson(cli.context, { ok: true, source: source ?? null, warnings });
      for (const warning of warnings) say(cli.context, `warning: ${warning}`);
      const servers = Object.keys(read.mcpServers).length;
      const from = source ?? 'no file (defaults and environment)';
      say(cli.context, `The configuration is valid: ${from}, ${servers} server${servers === 1 ? '' : 's'}.`);
    }),
  );
}
