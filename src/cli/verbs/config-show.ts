import type { Command } from 'commander';
import { asYaml, maskedConfig } from '../../config/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { say, sayJson } from '../output.ts';
import { readSettings } from '../settings.ts';

export function addConfigShow(config: Command, cli: Cli): void {
  const command = withJson(config.command('show').description('the configuration in use, with its defaults and without its secrets'));
  withHelp(command, ['config show', 'config show --json']);
  command.action(
    cli.run((options: JsonOption) => {
      const loaded = readSettings(cli.context);
      const shown = maskedConfig(loaded);
      if (options.json) return sayJson(cli.context, shown);
      say(cli.context, `# ${loaded.source ?? 'no file: defaults and environment'}\n${asYaml(shown).trimEnd()}`);
    }),
  );
}
