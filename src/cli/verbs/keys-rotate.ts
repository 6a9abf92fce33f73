import type { Command } from 'commander';
import { adminRoutes } from '../../contract/index.ts';
import { withHelp, withJson, type Cli, type JsonOption } from '../cli.ts';
import { APPROVER_OPTION, approverKey, keyFor, seconds } from '../keys.ts';
import { say, sayJson } from '../output.ts';
import { withManagement } from '../session.ts';

interface RotateOptions extends JsonOption {
  readonly overlap: string;
  readonly approverKeyFile?: string;
}

export function addKeysRotate(keys: Command, cli: Cli): void {
  const command = withJson(
    keys.command('rotate').description('give a key a new secret; the old one works until the overlap ends').argument('<key>', 'id or name'),
  );
  command.option('--overlap <time>', 'how long the old secret still works: 90s, 30m, 24h, 2d or 0', '24h').option(...APPROVER_OPTION);
  withHelp(command, ['keys rotate research-bot', 'keys rotate research-bot --overlap 0']);
  command.action(
    cli.run(async (word: string, options: RotateOptions) => {
      const overlapSeconds = seconds(options.overlap);
      const approver = await approverKey(cli.context, options.approverKeyFile);
      const reply = await withManagement(cli.context, async (client) => {
        const { id } = await keyFor(client, word);
        return client.ask(adminRoutes.rotateKey, { params: { id }, body: { overlapSeconds } }, { approver });
      });
      if (options.json) return sayJson(cli.context, reply);
      const { key, secret, previous } = reply;
      const old = overlapSeconds === 0 ? 'has ended' : `works until ${previous.expiresAt ?? previous.revokedAt ?? 'the overlap ends'}`;
      say(cli.context, `Key ${key.name} (${key.id}). Its new secret, not shown again:\n  ${secret}\nThe old one (${previous.id}) ${old}.`);
    }),
  );
}
