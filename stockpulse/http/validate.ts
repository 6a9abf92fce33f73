import type { TObject } from 'typebox';
import { Compile } from 'typebox/compile';
import { ApiError, ERROR_CODES } from '../errors.ts';
import { coerce } from './coerce.ts';

export type HttpPart = 'params' | 'querystring' | 'body';

/** Compiles a schema into a function that coerces and checks one part of a request. It throws a 400 ApiError that names the field. */
export function compileValidator(schema: TObject, part: HttpPart): (data: unknown) => Record<string, unknown> {
  const validator = Compile(schema);
  const names = Object.keys(schema.properties);
  return (data) => {
    const given = part === 'body' ? (data ?? {}) : coerce(schema, data as Record<string, unknown>);
    if (!validator.Check(given)) throw invalid(validator.Errors(given), names, part);
    return given as Record<string, unknown>;
  };
}

interface Violation {
  readonly keyword: string;
  readonly instancePath: string;
  readonly message: string;
  readonly params: unknown;
}

/** The most specific violation is the most helpful one. */
function invalid(violations: readonly Violation[], names: readonly string[], part: HttpPart): ApiError {
  const telling = violations.filter(({ keyword }) => keyword !== 'boolean');
  const worst = telling.toSorted((a, b) => depth(b) - depth(a))[0];
  const path = worst ? fieldOf(worst.instancePath) : '';
  const extra = worst ? named(worst, 'additionalProperties') : undefined;
  const missing = worst ? named(worst, 'requiredProperties') : undefined;
  const leaf = extra ?? missing;
  const field = [path, leaf].filter((piece) => piece !== undefined && piece !== '').join('.');
  const known = path === '' ? ` Allowed: ${names.join(', ') || 'none'}.` : '';
  return new ApiError({
    status: 400,
    code: ERROR_CODES.invalid,
    message: messageOf({ field, extra, missing, violation: worst, part }),
    ...(field === '' ? {} : { field }),
    hint: `${extra === undefined ? 'Correct the value' : 'Leave it out'}.${extra === undefined ? '' : known} /openapi.json describes every parameter.`,
  });
}

interface Problem {
  readonly field: string;
  readonly extra: string | undefined;
  readonly missing: string | undefined;
  readonly violation: Violation | undefined;
  readonly part: HttpPart;
}

function messageOf({ field, extra, missing, violation, part }: Problem): string {
  if (extra !== undefined) return `There is no parameter ${field}.`;
  if (missing !== undefined) return `${field} is required.`;
  const allowed = violation ? named(violation, 'allowedValues') : undefined;
  if (allowed !== undefined) return `${field} must be one of ${allowed}.`;
  return `${field || part} ${violation?.message ?? 'is not valid'}.`;
}

function depth({ instancePath, keyword }: Violation): number {
  const wrapper = keyword === 'anyOf' ? -1 : 0;
  return 2 * instancePath.split('/').length + wrapper;
}

/** `/symbols/0` becomes `symbols[0]`. */
function fieldOf(instancePath: string): string {
  return instancePath
    .slice(1)
    .replaceAll(/\/(\d+)/g, '[$1]')
    .replaceAll('/', '.');
}

function named({ params }: Violation, key: string): string | undefined {
  const value: unknown = (params as Record<string, unknown> | undefined)?.[key];
  return Array.isArray(value) ? value.join(', ') : undefined;
}
