import type { Command } from 'commander';
import { configReference, settingRows } from '../../config/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { sayJson } from '../output.ts';

export function addConfigReference(config: Command, cli: Cli): void {
  const command = withJson(config.command('reference').description('every setting there is, as a Markdown table'));
  withHelp(command, ['config reference']);
  command.action(
    cli.run((options: JsonOption) => {
      if (options.json) sayJson(cli.context, { settings: settingRows() });
      else cli.context.stdout.write(configReference());
    }),
  );
}
