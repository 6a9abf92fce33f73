import type { CliContext } from './context.ts';

export function say(context: CliContext, text: string): void {
  context.stdout.write(`${text}\n`);
}

export function note(context: CliContext, text: string): void {
  context.stderr.write(`${text}\n`);
}

export function sayJson(context: CliContext, value: unknown): void {
  say(context, JSON.stringify(value, null, 2));
}

// Names and descriptions come from strangers: control characters could redraw the terminal.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Text from elsewhere, safe to print: no escape sequences; line breaks and tabs stay. */
export const printable = (text: string): string => text.replaceAll('\r\n', '\n').replaceAll(CONTROL, '\uFFFD');

const cell = (text: string): string => printable(text).replaceAll(/\s+/g, ' ');

function clipped(line: string, width: number): string {
  return line.length > width ? `${line.slice(0, Math.max(1, width - 1))}…` : line;
}

/** Columns aligned by spaces. On a terminal a line is cut at its width, elsewhere nothing is. */
export function table(context: CliContext, header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows.map((row) => row.map(cell))];
  const widths = header.map((_title, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const width = context.stdout.isTTY === true ? (context.stdout.columns ?? 80) : Number.POSITIVE_INFINITY;
  const lines = all.map((row) => row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  '));
  return lines.map((line) => clipped(line.trimEnd(), width)).join('\n');
}

/** `name: value` lines with aligned values; entries without a value are left out. */
export function facts(entries: readonly (readonly [string, string | undefined])[]): string {
  const present = entries.filter((entry): entry is readonly [string, string] => entry[1] !== undefined && entry[1] !== '');
  const width = Math.max(...present.map(([name]) => name.length)) + 1;
  return present.map(([name, value]) => `${`${name}:`.padEnd(width)} ${printable(value)}`).join('\n');
}

/** `3`, or `3 and 2 templates`. */
export function resourceText({ resources, templates }: { readonly resources: number; readonly templates: number }): string {
  if (templates === 0) return String(resources);
  return `${resources} and ${templates} template${templates === 1 ? '' : 's'}`;
}

/** A word of a POSIX shell. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
