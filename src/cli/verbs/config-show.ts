import type { Command } from 'commander';
import { asYaml, maskedConfig, type LoadedConfig } from '../../config/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import type { CliContext } from '../context.ts';
import { note, printable, say, sayJson } from '../output.ts';
import { otherFile, runningStatus } from '../running.ts';
import { readSettings } from '../settings.ts';

/** Where the running gateway, if there is one, does not use what is shown. */
async function differences(context: CliContext, loaded: LoadedConfig): Promise<string[]> {
  const status = await runningStatus(context, loaded.config.dataDir);
  if (status === undefined) return [];
  const other = otherFile(loaded, status);
  return [...(other === undefined ? [] : [other]), ...status.warnings];
}

export function addConfigShow(config: Command, cli: Cli): void {
  const command = withJson(
    config.command('show').description('the configuration that a start would use now, with its defaults and without its secrets'),
  );
  withHelp(command, ['config show', 'config show --json']);
  command.action(
    cli.run(async (options: JsonOption) => {
      const loaded = readSettings(cli.context);
      const shown = maskedConfig(loaded);
      const notes = await differences(cli.context, loaded);
      if (options.json) {
        for (const text of notes) note(cli.context, text);
        return sayJson(cli.context, shown);
      }
      const head = [loaded.source ?? 'no file: defaults and environment', ...notes].map((text) => `# ${printable(text)}`);
      say(cli.context, [...head, asYaml(shown).trimEnd()].join('\n'));
    }),
  );
}
