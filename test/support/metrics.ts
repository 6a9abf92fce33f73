/** One value of the Prometheus text format; 0 if there is no such series. `labels` may name some of its labels. */
export function metric(text: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  const matching = lines.filter((line) => wanted.every((pair) => line.includes(pair)));
  return matching.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}

/** Names of all metrics in the text, sorted. */
export function metricNames(text: string): string[] {
  const names = [...text.matchAll(/^# TYPE (\S+) /gm)].map((match) => match[1] ?? '');
  return names.sort();
}
