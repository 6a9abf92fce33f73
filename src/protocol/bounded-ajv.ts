import { Ajv, type Options } from 'ajv';
import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { canonicalJson } from './canonical.ts';
import { linearRegExp } from './patterns.ts';

/** Calls, loop rounds and subschemas that one compilation or validation may take: seconds at the very worst. */
export const MAX_STEPS = 2_000_000;

/** What the generated code counts down; it reaches the Ajv instance under the name `self`. */
interface Budget {
  stepsLeft: number;
  exhausted: Error;
}

export type BoundedAjv = (Ajv | Ajv2020) & Budget;

const FUNCTION = /\bfunction validate\d+\(data, \{[^;]*?\}=\{\}\)\{/g;
const LOOP = /\bfor\([^{}"]*\)\{/g;
const SUBSCHEMA = /\bconst _errs\d+ ?= ?errors;/g;
const COUNT = 'if(--self.stepsLeft<0)throw self.exhausted;';

/** Without quotes or backslashes, so that it stays harmless where an author's text in the code looks like a loop. */
const counted = (code: string): string => code.replace(FUNCTION, `$&${COUNT}`).replace(LOOP, `$&${COUNT}`).replace(SUBSCHEMA, `$&${COUNT}`);

const OPTIONS: Options = {
  strict: false,
  allErrors: false,
  validateFormats: true,
  logger: false,
  addUsedSchema: false,
  // Arguments may be called "constructor" or "toString"; inherited ones are not given.
  ownProperties: true,
  // A large definition copied into each of its thousand uses is a bomb, and functions are what the budget counts.
  inlineRefs: false,
  code: { regExp: linearRegExp, process: counted },
};

const distinct = (items: readonly unknown[]): boolean => new Set(items.map(canonicalJson)).size === items.length;

/** An Ajv for schemas that others wrote: linear patterns, linear `uniqueItems`, and a budget against schemas that take exponential time. */
export function boundedAjv(dialect: '2020' | '7', options: Options = {}): BoundedAjv {
  const settings = { ...OPTIONS, ...options };
  const ajv = dialect === '2020' ? new Ajv2020(settings) : new Ajv(settings);
  addFormats.default(ajv);
  // The library's own pattern for it takes quadratic time.
  ajv.addFormat('url', (text: string) => /^(https?|ftp):\/\//i.test(text) && URL.canParse(text));
  // The library compares each item with each other.
  ajv.removeKeyword('uniqueItems');
  ajv.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    compile: (wanted: boolean) => (wanted ? distinct : () => true),
    error: { message: 'must NOT have duplicate items' },
  });
  return Object.assign(ajv, { stepsLeft: MAX_STEPS, exhausted: new Error('the schema takes too many steps to check') });
}
