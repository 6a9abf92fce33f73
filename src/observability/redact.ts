const SECRET_KEY = /authorization|cookie|password|passwd|secret|token|api[-_]?key|credential|private[-_]?key/i;
/** Shapes of credentials that may stand inside free text: our keys, bearer tokens, common vendors' keys, passwords in URLs. */
const SECRET_TEXT =
  /\bspk_[0-9a-z]{8,}|\b(?:Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}|\b(?:sk|pk|ghp|gho|xox[abp])[-_][A-Za-z0-9_-]{12,}|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)?|(?<=:\/\/[^\s:/@]{0,128}:)[^\s@/]+(?=@)/g;
const MASK = '[redacted]';
const MAX_DEPTH = 6;
const MAX_ITEMS = 50;
const MAX_TEXT = 2000;

/** Takes secrets out of whatever is about to be logged: by key, by shape, and by value for secrets known from configuration. */
export class Redactor {
  readonly #known: readonly string[];

  /** `known` are secret values from configuration; shorter ones than 6 characters are ignored, they would mask ordinary text. */
  constructor(known: readonly string[] = []) {
    this.#known = known.filter((secret) => secret.length >= 6);
  }

  text(value: string): string {
    let text = value.length > MAX_TEXT ? `${value.slice(0, MAX_TEXT)}...` : value;
    for (const secret of this.#known) if (text.includes(secret)) text = text.replaceAll(secret, MASK);
    return text.replace(SECRET_TEXT, MASK);
  }

  /** A copy that is safe to log: bounded in depth, items and length. Errors become their name, message and code. */
  value(input: unknown, depth = 0): unknown {
    if (typeof input === 'string') return this.text(input);
    if (typeof input === 'bigint') return input.toString();
    if (typeof input === 'function' || typeof input === 'symbol') return undefined;
    if (typeof input !== 'object' || input === null) return input;
    if (depth >= MAX_DEPTH) return '[deep]';
    if (input instanceof Error) return this.#error(input, depth);
    if (Array.isArray(input)) return input.slice(0, MAX_ITEMS).map((item) => this.value(item, depth + 1));
    const entries = Object.entries(input).slice(0, MAX_ITEMS);
    return Object.fromEntries(
      entries.map(([key, item]) => [key, SECRET_KEY.test(key) && item !== undefined ? MASK : this.value(item, depth + 1)]),
    );
  }

  #error(error: Error, depth: number): unknown {
    const { code, detail } = error as { code?: unknown; detail?: unknown };
    return {
      name: error.name,
      message: this.text(error.message),
      ...(code === undefined ? {} : { code: this.value(code, depth + 1) }),
      ...(detail === undefined ? {} : { detail: this.value(detail, depth + 1) }),
      ...(error.cause === undefined ? {} : { cause: this.value(error.cause, depth + 1) }),
    };
  }
}
