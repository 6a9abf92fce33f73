/** Numbers that a parse may change: 16 digits and more, or an exponent of three. */
const LONG_NUMBER = /\d[\d.]{15}|\de[+-]?\d{3}/i;

interface ExactJson {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
  parse(text: string, reviver: (key: string, value: unknown, context: { readonly source?: string }) => unknown): unknown;
}
const exact = JSON as unknown as ExactJson;

/** The JSON value, in which numbers that a parse would change keep their text; `JSON.stringify` writes that again. Throws as JSON.parse does. */
export function parseExact(text: string): unknown {
  if (!LONG_NUMBER.test(text)) return JSON.parse(text) as unknown;
  return exact.parse(text, (_key, value, { source }) => {
    if (typeof value !== 'number' || source === undefined || String(value) === source) return value;
    return exact.rawJSON(source);
  });
}

/** The text of a number that `parseExact` kept; undefined for anything else. */
export const exactNumber = (value: unknown): string | undefined => (exact.isRawJSON(value) ? value.rawJSON : undefined);
