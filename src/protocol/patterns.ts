import { RE2JS } from 're2js';

/** What Ajv needs of a regular expression. */
interface Matcher {
  test(text: string): boolean;
  /** Ajv tells patterns apart by this text. */
  toString(): string;
}

/**
 * A regular expression that matches in linear time, for patterns that others wrote. Throws where RE2 does not know the syntax
 * (look-around, back references): the caller then goes without validation rather than with a pattern that can be made to hang.
 */
export function linearPattern(pattern: string): Matcher {
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  return { test: (text) => compiled.matcher(text).find(), toString: () => pattern };
}

/** The `code.regExp` option of Ajv. `code` is what standalone output would contain; we make none. */
export const linearRegExp = Object.assign((pattern: string, _flags: string) => linearPattern(pattern), { code: 'linearPattern' });
