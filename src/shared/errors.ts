/**
 * An error with a stable code (pinned by tests), a public message that says what to do, and private detail for the log only.
 * Transports map the code to a status; nothing but `code` and `message` ever leaves the process.
 */
export class AppError extends Error {
  readonly code: string;
  readonly detail: unknown;

  constructor(code: string, message: string, options: { detail?: unknown; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.detail = options.detail;
  }
}

/** The message of anything that was thrown. For logs: it may hold private detail. */
export function messageOf(error: unknown): string {
  if (error instanceof Error) return error.message;
  try {
    return String(error);
  } catch {
    return 'something that has no text';
  }
}
