import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Document, type Node, type Pair } from 'yaml';
import { ConfigError, type Problem } from './problems.ts';

export type Path = readonly (string | number)[];

/** `mcpServers.files.args[0]`; keys that are not plain words are quoted. */
export function pathText(path: Path): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A configuration file: its plain value, and where each part of it stands. */
export interface SourceDocument {
  readonly file: string;
  readonly value: unknown;
  /** Where the key (or the value) at `path` begins; of the nearest ancestor that exists if it does not. */
  locate(path: Path, what: 'key' | 'value'): Position;
}

const MESSAGES: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: 'this key stands here twice. Keep one of them.',
  MULTIPLE_DOCS: 'one file holds one YAML document: remove the `---` separator and what follows it.',
  TAB_AS_INDENT: 'YAML is indented with spaces, not with tabs.',
};

const keyText = (pair: Pair<unknown, unknown>): string => {
  const key = pair.key;
  return isScalar(key) ? String(key.value) : String(key);
};

const startOf = (node: unknown): number | undefined => (node as Node | null | undefined)?.range?.[0];

function resolved(node: unknown, doc: Document): unknown {
  return isAlias(node) ? node.resolve(doc) : node;
}

function offsetOf(doc: Document, path: Path, what: 'key' | 'value'): number {
  let node: unknown = doc.contents;
  let offset = startOf(node) ?? 0;
  for (const [index, part] of path.entries()) {
    const here = resolved(node, doc);
    const pair = isMap(here) ? here.items.find((item) => keyText(item) === String(part)) : undefined;
    const child = pair?.value ?? (isSeq(here) ? here.items[Number(part)] : undefined);
    if (pair === undefined && child === undefined) return offset;
    const last = index === path.length - 1;
    offset = (last && what === 'value' ? (startOf(child) ?? startOf(pair?.key)) : (startOf(pair?.key) ?? startOf(child))) ?? offset;
    node = child;
  }
  return offset;
}

/** The path of the pair whose key begins at `offset`: syntax errors come without one. */
function pathAt(node: unknown, offset: number, path: Path = []): Path | undefined {
  if (isMap(node)) {
    for (const pair of node.items) {
      const here = [...path, keyText(pair)];
      const found = startOf(pair.key) === offset ? here : pathAt(pair.value, offset, here);
      if (found !== undefined) return found;
    }
  }
  if (isSeq(node)) {
    for (const [index, item] of node.items.entries()) {
      const found = pathAt(item, offset, [...path, index]);
      if (found !== undefined) return found;
    }
  }
  return undefined;
}

function plainValue(doc: Document, file: string): unknown {
  try {
    return doc.toJS({ maxAliasCount: 100 });
  } catch (error) {
    const message = `cannot be read: ${error instanceof Error ? error.message : String(error)}`;
    throw new ConfigError([{ source: file, line: 1, column: 1, path: '', message }]);
  }
}

/** Reads YAML (JSON is YAML too). Throws ConfigError for anything that is not one well-formed mapping without duplicate keys. */
export function readDocument(file: string, text: string): SourceDocument {
  const counter = new LineCounter();
  const doc = parseDocument(text, { lineCounter: counter, prettyErrors: false, uniqueKeys: true, merge: true, stringKeys: true });
  const at = (offset: number): Position => {
    const { line, col } = counter.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  };
  if (doc.errors.length > 0) {
    const problems = doc.errors.map((error): Problem => {
      const path = pathText(pathAt(doc.contents, error.pos[0]) ?? []);
      return { source: file, ...at(error.pos[0]), path, message: MESSAGES[error.code] ?? `is not valid YAML: ${error.message}` };
    });
    throw new ConfigError(problems);
  }
  const value = plainValue(doc, file) ?? {};
  if (typeof value !== 'object' || Array.isArray(value)) {
    const message = 'the file must hold settings as `key: value`, for example `server: { port: 8080 }`.';
    throw new ConfigError([{ source: file, ...at(startOf(doc.contents) ?? 0), path: '', message }]);
  }
  return { file, value, locate: (path, what) => at(offsetOf(doc, path, what)) };
}
