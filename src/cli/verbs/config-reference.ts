import type { Command } from 'commander';
import { configReference } from '../../config/index.ts';
import { withHelp, type Cli } from '../cli.ts';

export function addConfigReference(config: Command, cli: Cli): void {
  const command = config.command('reference').description('every setting there is, as a Markdown table');
  withHelp(command, ['config reference']);
  command.action(cli.run(() => void cli.context.stdout.write(configReference())));
}
