/**
 * `npm run docs` writes docs/reference from what the code says of itself; with `--check` it writes nothing and fails when a page is stale
 * or when prose names a file that is gone.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { format, resolveConfig } from 'prettier';
import { configReference } from '../src/config/index.ts';
import { createStockPulse } from '../stockpulse/index.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const check = process.argv.includes('--check');
const problems: string[] = [];

/** Every verb of the command, as its own --help lists them. */
const VERBS = [
  [],
  ['start'],
  ['stdio'],
  ...['list', 'show', 'restart', 'test'].map((verb) => ['servers', verb]),
  ...['list', 'call'].map((verb) => ['tools', verb]),
  ...['create', 'list', 'rotate', 'revoke'].map((verb) => ['keys', verb]),
  ...['check', 'show', 'reference'].map((verb) => ['config', verb]),
  ['doctor'],
];

function help(verb: readonly string[]): string {
  const run = spawnSync(process.execPath, [join(root, 'bin/stockpulse.js'), ...verb, '--help'], {
    encoding: 'utf8',
    env: { ...process.env, COLUMNS: '100', NO_COLOR: '1' },
  });
  if (run.status !== 0) throw new Error(`stockpulse ${verb.join(' ')} --help failed: ${run.stderr}`);
  return `## ${['stockpulse', ...verb].join(' ')}\n\n\`\`\`\n${run.stdout.trim()}\n\`\`\`\n`;
}

function commandPage(): string {
  return `# The command\n\nGenerated from \`--help\`. In a checkout \`stockpulse\` is \`node bin/stockpulse.js\`.\n\n${VERBS.map(help).join('\n')}`;
}

interface Property {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
}

function toolsPage(): string {
  const { routes } = createStockPulse({ clock: { now: () => 0 }, authenticate: () => ({ ok: false, status: 401, code: 0, message: '' }) });
  const sections = routes
    .filter(({ mcp }) => mcp !== undefined)
    .map((route) => {
      const inputs = [route.params, route.query, route.body].flatMap((schema) =>
        Object.entries((schema?.properties ?? {}) as Record<string, Property>),
      );
      const rows = inputs.map(([name, { description = '', default: fallback }]) => {
        const shown = fallback === undefined ? '' : `\`${JSON.stringify(fallback)}\``;
        return `| \`${name}\` | ${description.replaceAll('|', '\\|').replaceAll('\n', ' ')} | ${shown} |`;
      });
      const facts = `\`${route.method} /stockpulse${route.path}\`, scope \`${route.mcp?.scope}\`, ${route.mcp?.annotations.readOnlyHint ? 'reads' : 'writes'}`;
      return `## ${route.operationId}\n\n${route.description}\n\n${facts}\n\n| argument | what | default |\n| --- | --- | --- |\n${rows.join('\n')}\n`;
    });
  return `# The tools\n\nGenerated from the routes, which are the tools' only definition.\n\n${sections.join('\n')}`;
}

async function page(name: string, text: string): Promise<void> {
  const file = join(root, 'docs/reference', name);
  const wanted = await format(text, { ...(await resolveConfig(file)), parser: 'markdown' });
  if (check) {
    if (!existsSync(file) || readFileSync(file, 'utf8') !== wanted) problems.push(`docs/reference/${name} is stale: run "npm run docs"`);
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, wanted);
}

/** Methods of the protocol that look like paths. */
const METHODS: ReadonlySet<string> = new Set(['tools/list', 'tools/call']);

/** Paths of the project that prose names, in backticks or as link targets. */
function checkPaths(): void {
  const NAMED = /(?:`|\]\()((?:src|stockpulse|test|bench|tools|docs|bin|deploy|console|\.ci)\/[\w./-]*[\w])(?:`|\))|\]\(([A-Z]+\.md)\)/g;
  const pages = globSync(['*.md', 'docs/**/*.md'], { cwd: root });
  for (const name of pages) {
    for (const [, path, upper] of readFileSync(join(root, name), 'utf8').matchAll(NAMED)) {
      const target = path ?? upper ?? '';
      if (METHODS.has(target)) continue;
      if (!existsSync(join(root, target)) && !existsSync(join(root, dirname(name), target)))
        problems.push(`${name} names ${target}, which is not there`);
    }
  }
}

await page('settings.md', `# Settings\n\nGenerated from the schema in \`src/config/schema.ts\`.\n\n${configReference()}`);
await page('command.md', commandPage());
await page('tools.md', toolsPage());
checkPaths();
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
