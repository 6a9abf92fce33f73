import { isObject, type JsonObject } from '../../protocol/index.ts';

const MAX_HOPS = 20;

/** Percent-decoded, since a reference is the fragment of a URI; a broken escape stays as it is. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const unescaped = (part: string): string => decoded(part).replaceAll('~1', '/').replaceAll('~0', '~');

/** The references of one document. Only those into the document itself are followed. */
export class Refs {
  readonly #root: JsonObject;
  /** What was found before: as many as the document has references, all of which are in it. */
  readonly #found = new Map<string, unknown>();

  constructor(root: JsonObject) {
    this.#root = root;
  }

  /** What a reference points to; undefined where there is nothing, or the reference leads elsewhere. */
  find(ref: string): unknown {
    const known = this.#found.get(ref);
    if (known !== undefined) return known;
    const found = this.#find(ref);
    if (found !== undefined) this.#found.set(ref, found);
    return found;
  }

  #find(ref: string): unknown {
    if (ref === '#') return this.#root;
    if (!ref.startsWith('#/')) return undefined;
    let node: unknown = this.#root;
    for (const part of ref.slice(2).split('/')) {
      const key = unescaped(part);
      if (typeof node !== 'object' || node === null || !Object.hasOwn(node, key)) return undefined;
      node = (node as JsonObject)[key];
    }
    return node;
  }

  /** The object itself, or what stands behind its references; undefined if that is no object. */
  resolve(node: unknown): JsonObject | undefined {
    let target = node;
    for (let hops = 0; hops < MAX_HOPS; hops++) {
      if (!isObject(target)) return undefined;
      if (typeof target.$ref !== 'string') return target;
      target = this.find(target.$ref);
    }
    return undefined;
  }

  /** True if the schema, or what it refers to, is marked so: `readOnly`, `writeOnly`. */
  isMarked(schema: unknown, mark: 'readOnly' | 'writeOnly'): boolean {
    let target = schema;
    for (let hops = 0; hops < MAX_HOPS && isObject(target); hops++) {
      if (target[mark] === true) return true;
      if (typeof target.$ref !== 'string') return false;
      target = this.find(target.$ref);
    }
    return false;
  }
}

/** The last part of a reference, for people. */
export const refName = (ref: string): string => unescaped(ref.slice(ref.lastIndexOf('/') + 1)).slice(0, 80);
