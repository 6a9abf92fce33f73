import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { HttpTarget, JudgeClient } from '../support/judge-port.ts';
import { judgeFile } from '../support/paths.ts';
import { run } from '../support/processes.ts';
import { allPages, judgeCall } from './result.ts';

interface Listing {
  readonly tools: readonly { readonly name: string }[];
  readonly nextCursor?: string;
}

/** One run of the Inspector's command line, with a home folder of its own: it keeps state there. */
async function inspect({ url, key }: HttpTarget, era: string, args: readonly string[]): Promise<Record<string, unknown>> {
  const home = await mkdtemp(join(tmpdir(), 'stockpulse-inspector-'));
  const launcher = judgeFile('@modelcontextprotocol/inspector/clients/launcher/build/index.js');
  const header = key === undefined ? [] : ['--header', `Authorization: Bearer ${key}`];
  try {
    const common = ['--cli', url, '--transport', 'http', '--protocol-era', era, '--format', 'json', '--quiet', '--stored-auth-only'];
    const { code, stdout, stderr } = await run(process.execPath, [launcher, ...common, ...header, ...args], {
      env: { HOME: home, NO_COLOR: '1' },
    });
    // Exit status 5 is a tool result with isError: an answer like any other.
    const answer = stdout.trim() === '' ? undefined : (JSON.parse(stdout) as Record<string, unknown>);
    if (answer === undefined) throw new Error(`The Inspector ended with ${String(code)}: ${stderr.slice(0, 2000)}`);
    return (answer.result ?? answer) as Record<string, unknown>;
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

/** The Inspector's command line as a client: each question is a process and a connection of its own. */
export function inspector(target: HttpTarget, era: 'legacy' | 'auto' | 'modern'): JudgeClient {
  return {
    revision: undefined,
    toolNames: () =>
      allPages(async () => {
        const { tools } = (await inspect(target, era, ['--method', 'tools/list'])) as unknown as Listing;
        return { names: tools.map(({ name }) => name), next: undefined };
      }),
    callTool: async (name, args) =>
      judgeCall(await inspect(target, era, ['--method', 'tools/call', '--tool-name', name, '--tool-args-json', JSON.stringify(args)])),
    close: () => Promise.resolve(),
  };
}
