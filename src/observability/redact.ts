const SECRET_KEY = /authorization|cookie|passw(?:or)?d|passphrase|pwd|secret|token|api[-_]?key|credential|private[-_]?key/i;
/** Shapes of credentials that may stand inside free text: our keys, bearer tokens, common vendors' keys, passwords in URLs. */
const SECRET_TEXT = new RegExp(
  [
    String.raw`\bspk_[0-9a-z]{8,}`,
    String.raw`\b(?:[Bb]earer|BEARER|Basic)\s+[A-Za-z0-9._~+/=-]{8,}`,
    // In lower case "basic" is also an English word: what follows must look encoded.
    String.raw`\bbasic\s+(?=[A-Za-z0-9+/=]*[A-Z0-9=])[A-Za-z0-9+/=]{8,}`,
    String.raw`\b(?:sk|pk|gh[opsur]|github_pat|xox[abp])[-_][A-Za-z0-9_-]{12,}`,
    String.raw`\b(?:AKIA|ASIA)[0-9A-Z]{16}\b`,
    String.raw`\bAIza[0-9A-Za-z_-]{30,}`,
    String.raw`\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?`,
    String.raw`(?<=:\/\/[^\s:/@]{0,128}:)[^\s@/]+(?=@)`,
  ].join('|'),
  'g',
);
const MASK = '[redacted]';
const MAX_DEPTH = 6;
const MAX_ITEMS = 50;
/** Characters of all texts and keys together; every other value counts as a few. */
const MAX_TOTAL = 32_000;
const COST = 8;
const MAX_TEXT = 2000;
const MAX_NAMES = 1000;
const MAX_NAME = 200;
/** Read behind the cut, so that a secret that crosses it is still recognized. */
const MARGIN = 4096;

interface Budget {
  left: number;
}

type Copy = (item: unknown) => unknown;

/** Secrets as they stand in other texts: in a URL, in JSON. */
const spellings = (secret: string): string[] => {
  const forms = new Set([secret, JSON.stringify(secret).slice(1, -1)]);
  if (secret.isWellFormed()) forms.add(encodeURIComponent(secret));
  return [...forms];
};

/** Takes secrets out of whatever is about to be logged: by key, by shape, and by value for secrets known from configuration. */
export class Redactor {
  readonly #known: readonly string[];
  readonly #names = new Map<string, string>();
  readonly #margin: number;

  /** `known` are secret values from configuration; shorter ones than 6 characters are ignored, they would mask ordinary text. */
  constructor(known: readonly string[] = []) {
    const all = new Set(known.filter((secret) => secret.length >= 6).flatMap(spellings));
    // The longest first: a secret may be part of another.
    this.#known = [...all].sort((a, b) => b.length - a.length);
    this.#margin = Math.max(MARGIN, this.#known[0]?.length ?? 0);
  }

  text(value: string): string {
    if (value.length <= MAX_TEXT) return this.#masked(value);
    const window = this.#masked(value.slice(0, MAX_TEXT + this.#margin));
    const whole = value.length <= MAX_TEXT + this.#margin ? window.length : window.length - this.#margin;
    return `${window.slice(0, Math.max(0, Math.min(MAX_TEXT, whole)))}...`;
  }

  /** The same for short names that come again and again. */
  name(value: string): string {
    let redacted = this.#names.get(value);
    if (redacted !== undefined) return redacted;
    redacted = this.text(value);
    if (this.#names.size < MAX_NAMES && value.length <= MAX_NAME) this.#names.set(value, redacted);
    return redacted;
  }

  /**
   * A copy that is safe to log: bounded in depth, items, parts and length. Errors become their name, message and code; what cannot
   * be read says so. Never throws.
   */
  value(input: unknown, depth = 0): unknown {
    return this.#copy(input, depth, { left: MAX_TOTAL });
  }

  #masked(value: string): string {
    let text = value;
    for (const secret of this.#known) if (text.includes(secret)) text = text.replaceAll(secret, MASK);
    return text.replace(SECRET_TEXT, MASK);
  }

  #copy(input: unknown, depth: number, budget: Budget): unknown {
    budget.left -= COST;
    if (typeof input === 'string') return this.#charged(input, budget);
    if (typeof input === 'bigint') return input.toString();
    if (typeof input === 'function' || typeof input === 'symbol') return undefined;
    if (typeof input !== 'object' || input === null) return input;
    if (depth >= MAX_DEPTH || budget.left < 0) return '[deep]';
    try {
      return this.#object(input, (item) => this.#copy(item, depth + 1, budget), budget);
    } catch {
      return '[unreadable]';
    }
  }

  #charged(text: string, budget: Budget): string {
    const masked = this.text(text);
    budget.left -= masked.length;
    return masked;
  }

  #object(input: object, copy: Copy, budget: Budget): unknown {
    if (input instanceof Error) return this.#error(input, copy);
    if (Array.isArray(input) || input instanceof Set) return copied(first(input), copy, budget);
    if (input instanceof Date) return Number.isNaN(input.getTime()) ? null : input.toISOString();
    if (ArrayBuffer.isView(input) || input instanceof ArrayBuffer) return `[${input.byteLength} bytes]`;
    if (input instanceof Map) return this.#entries(first(input), copy, budget);
    if (input instanceof URL) return this.text(input.href);
    const keys = Object.keys(input).slice(0, MAX_ITEMS);
    return this.#entries(
      keys.map((key) => [key, read(input, key)] as const),
      copy,
      budget,
    );
  }

  #entries(entries: readonly (readonly [unknown, unknown])[], copy: Copy, budget: Budget): unknown {
    const pair = ([name, item]: readonly [unknown, unknown]): [string, unknown] => {
      const key = typeof name === 'string' ? name : typeof name;
      return [this.#charged(key, budget), SECRET_KEY.test(key) && item !== undefined ? MASK : copy(item)];
    };
    return Object.fromEntries(copied(entries, pair, budget));
  }

  #error(error: Error, copy: Copy): unknown {
    const { code, detail, errors } = error as { code?: unknown; detail?: unknown; errors?: unknown };
    return {
      name: copy(error.name),
      message: copy(error.message),
      ...(code === undefined ? {} : { code: copy(code) }),
      ...(detail === undefined ? {} : { detail: copy(detail) }),
      ...(Array.isArray(errors) ? { errors: copy(errors) } : {}),
      ...(error.cause === undefined ? {} : { cause: copy(error.cause) }),
    };
  }
}

/** Copies until the budget is spent; what is left out says so by its absence. */
function copied<T, U>(items: readonly T[], copy: (item: T) => U, budget: Budget): U[] {
  const copies: U[] = [];
  for (const item of items) {
    if (budget.left < 0) break;
    copies.push(copy(item));
  }
  return copies;
}

function first<T>(items: Iterable<T>): T[] {
  const taken: T[] = [];
  for (const item of items) {
    if (taken.length >= MAX_ITEMS) break;
    taken.push(item);
  }
  return taken;
}

/** A getter that throws spoils its own property only. */
function read(input: object, key: string): unknown {
  try {
    return (input as Record<string, unknown>)[key];
  } catch {
    return '[unreadable]';
  }
}
