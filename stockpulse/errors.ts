/** Alpaca's style of error codes: the HTTP status, then a number within it. */
export const ERROR_CODES = {
  invalid: 40010001,
  malformedBody: 40010000,
  unauthorized: 40110000,
  forbidden: 40310000,
  unknownRoute: 40410000,
  unknownSymbol: 40410001,
  methodNotAllowed: 40510000,
  bodyTooLarge: 41310000,
  mediaType: 41510000,
  unprocessable: 42210000,
  badCursor: 42210001,
  tooManyPoints: 42210002,
  internal: 50010000,
  noMarket: 50310000,
} as const;

export interface ErrorFacts {
  readonly status: number;
  /** From `ERROR_CODES`. */
  readonly code: number;
  /** Says what is wrong; safe to show to anyone. */
  readonly message: string;
  /** The input that is wrong, such as `symbols` or `filters[0].op`. */
  readonly field?: string;
  readonly retryable?: boolean;
  /** Says what to do. */
  readonly hint?: string;
}

/** The JSON body of an error answer. */
export interface ErrorBody {
  readonly code: number;
  readonly message: string;
  readonly field?: string;
  readonly retryable: boolean;
  readonly hint?: string;
}

/** An error meant for the caller. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: number;
  readonly field?: string;
  readonly retryable: boolean;
  readonly hint?: string;

  constructor(facts: ErrorFacts) {
    super(facts.message);
    this.name = 'ApiError';
    this.status = facts.status;
    this.code = facts.code;
    this.retryable = facts.retryable ?? false;
    if (facts.field !== undefined) this.field = facts.field;
    if (facts.hint !== undefined) this.hint = facts.hint;
  }

  toBody(): ErrorBody {
    const { code, message, field, retryable, hint } = this;
    return { code, message, ...(field === undefined ? {} : { field }), retryable, ...(hint === undefined ? {} : { hint }) };
  }
}

/** A well-formed request that makes no sense: status 422. */
export function unprocessable(field: string, message: string, hint?: string): ApiError {
  return new ApiError({ status: 422, code: ERROR_CODES.unprocessable, message, field, ...(hint === undefined ? {} : { hint }) });
}
