import { pathText, type Path } from './document.ts';
import type { Environment } from './environment.ts';

const REFERENCE = /\$\{env:([^}]*)\}/g;

export interface Unset {
  readonly path: Path;
  readonly message: string;
}

export interface Substituted {
  readonly value: unknown;
  readonly unset: readonly Unset[];
  /** The text as written, by the path of the setting: `config show` prints it instead of the value. */
  readonly templates: ReadonlyMap<string, string>;
}

/** Gives a text that is one whole `${env:NAME}` the type that its place wants. */
export type Typed = (path: Path, text: string) => unknown;

function unsetMessage(name: string): string {
  const [variable = '', ...standard] = name.split(':-');
  if (standard.length > 0) return `holds a default, and there are none here: write \${env:${variable}} and set the variable.`;
  return `the variable ${name || '(no name)'} is not set. Set it, or remove \${env:${name}}.`;
}

/** Replaces `${env:NAME}` in every text of `value`. A variable that is not set is a problem; an empty one is not. */
export function substitute(value: unknown, env: Environment, typed: Typed): Substituted {
  const unset: Unset[] = [];
  const templates = new Map<string, string>();

  const inText = (text: string, path: Path): unknown => {
    if (!text.includes('${env:')) return text;
    templates.set(pathText(path), text);
    const replaced = text.replaceAll(REFERENCE, (_all, name: string) => {
      const found = Object.hasOwn(env, name) ? env[name] : undefined;
      if (found === undefined) unset.push({ path, message: unsetMessage(name) });
      return found ?? '';
    });
    return /^\$\{env:[^}]*\}$/.test(text) ? typed(path, replaced) : replaced;
  };

  const walk = (node: unknown, path: Path): unknown => {
    if (typeof node === 'string') return inText(node, path);
    if (Array.isArray(node)) return node.map((item, index) => walk(item, [...path, index]));
    if (node === null || typeof node !== 'object') return node;
    return Object.fromEntries(Object.entries(node).map(([key, item]) => [key, walk(item, [...path, key])]));
  };
  return { value: walk(value, []), unset, templates };
}
