import type { z } from 'zod';
import { AppError } from '../shared/index.ts';

const MAX_SHOWN = 200;

type Place = 'path' | 'query' | 'body';

/** One problem of the input in a line; a zod message says what was expected and never repeats the value. */
function describe(place: Place, issue: z.core.$ZodIssue): { field: string; message: string } {
  if (issue.code === 'unrecognized_keys') {
    const keys = issue.keys.map((key) => JSON.stringify(key.slice(0, 64))).join(', ');
    return { field: issue.keys[0] ?? place, message: `${place}: unknown ${issue.keys.length > 1 ? 'members' : 'member'} ${keys}.` };
  }
  const path = issue.path.map(String).join('.');
  return {
    field: path || place,
    message: `${path === '' ? `the ${place}` : path}: ${issue.message.slice(0, MAX_SHOWN)}.`.replace(/\.\.$/, '.'),
  };
}

/** The input as the schema has it. Throws `invalid_request` that names the first wrong member and counts the others. */
export function parse<Schema extends z.ZodType>(schema: Schema, place: Place, input: unknown): z.output<Schema> {
  const result = schema.safeParse(input ?? undefined);
  if (result.success) return result.data;
  if (input === undefined || input === null)
    throw new AppError('invalid_request', `The ${place} is missing: send a JSON object as Content-Type: application/json.`, {
      detail: { field: place },
    });
  const [first, ...others] = result.error.issues;
  if (first === undefined) throw new AppError('invalid_request', `The ${place} of the request is not valid.`);
  const { field, message } = describe(place, first);
  const more = others.length === 0 ? '' : ` (${others.length} more)`;
  throw new AppError('invalid_request', `${message}${more}`, { detail: { field } });
}
