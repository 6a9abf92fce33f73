import { AppError } from '../shared/index.ts';
import { statusOf } from './errors.ts';

/** An error as a caller may see it. */
export interface MappedError {
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly field?: string;
}

/** Errors of the HTTP framework that a caller caused, in our words. */
const byFrameworkCode: Readonly<Record<string, Omit<MappedError, 'status'>>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: { code: 'body_too_large', message: 'The request body is too large; send less, or raise limits.bodyBytes.' },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: { code: 'unsupported_media_type', message: 'Send the body as Content-Type: application/json.' },
  FST_ERR_CTP_EMPTY_JSON_BODY: { code: 'invalid_json', message: 'The body is empty: send a JSON object, or leave Content-Type out.' },
  FST_ERR_CTP_INVALID_JSON_BODY: { code: 'invalid_json', message: 'The body is not valid JSON.' },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: { code: 'invalid_request', message: 'The body is not as long as Content-Length says.' },
  FST_ERR_BAD_URL: { code: 'invalid_request', message: 'The path of the request is not a valid URL path.' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'path_too_long', message: 'A part of the path is too long.' },
};

function fieldOf(detail: unknown): { field?: string } {
  if (typeof detail !== 'object' || detail === null || !('field' in detail) || typeof detail.field !== 'string') return {};
  return { field: detail.field };
}

/**
 * Anything thrown as a caller may see it: an AppError's own words (and `detail.field`, the input that is wrong), a client error of the
 * framework in ours, and of everything else nothing but that it happened.
 */
export function mapError(error: unknown): MappedError {
  if (error instanceof AppError)
    return { status: statusOf(error.code), code: error.code, message: error.message, ...fieldOf(error.detail) };
  const { code, statusCode } = (error ?? {}) as { code?: unknown; statusCode?: unknown };
  const known = typeof code === 'string' ? byFrameworkCode[code] : undefined;
  if (known !== undefined) return { ...known, status: statusOf(known.code) };
  if (error instanceof SyntaxError && statusCode === 400)
    return { status: 400, code: 'invalid_json', message: 'The body is not valid JSON.' };
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500)
    return { status: statusCode, code: 'invalid_request', message: 'The request is not valid.' };
  return { status: 500, code: 'internal_error', message: 'Something went wrong here; the log of the server says what.' };
}
