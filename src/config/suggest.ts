/** Words that people bring from other tools, and what they are called here. */
const ALIASES: Readonly<Record<string, string>> = {
  servers: 'mcpServers',
  mcp_servers: 'mcpServers',
  context_servers: 'mcpServers',
  upstreams: 'mcpServers',
  data: 'dataDir',
  data_dir: 'dataDir',
  db: 'database',
  logging: 'log',
  bind: 'host',
  address: 'host',
  environment: 'env',
  command_args: 'args',
  arguments: 'args',
  workingDirectory: 'cwd',
  endpoint: 'url',
  uri: 'url',
  cmd: 'command',
  envs: 'env',
};

const squash = (text: string): string => text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');

/** Optimal string alignment distance: an exchange of neighbours counts once. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, (before[j - 2] ?? 0) + 1);
      row.push(best);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length] ?? 0;
}

/** The known word that `word` was probably meant to be. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const alias = ALIASES[word];
  if (alias !== undefined && known.includes(alias)) return alias;
  const target = squash(word.slice(0, 64));
  let best: string | undefined;
  let bestDistance = Math.min(3, Math.floor(target.length / 2) + 1);
  for (const candidate of known) {
    const d = distance(target, squash(candidate));
    if (d < bestDistance) {
      best = candidate;
      bestDistance = d;
    }
  }
  return best;
}
