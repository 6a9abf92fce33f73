/** The exit codes of every verb. `--help` lists them. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  alreadyRunning: 3,
  portInUse: 4,
  unreachable: 5,
} as const;

export const EXIT_HELP = `
Exit codes:
  0  done
  1  it failed
  2  wrong usage, or the configuration has a problem
  3  already running
  4  the port is in use
  5  the gateway cannot be reached, refused, or went away`;

/** A failure that the user should read. `code` is stable; `message` says what to do. */
export class CliError extends Error {
  readonly code: string;
  readonly exit: number;

  constructor(code: string, message: string, exit: number = EXIT.failed) {
    super(message);
    this.name = 'CliError';
    this.code = code;
    this.exit = exit;
  }
}

const EXITS: Readonly<Record<string, number>> = {
  config_invalid: EXIT.usage,
  invalid_request: EXIT.usage,
  unknown_scope: EXIT.usage,
  scopes_not_combinable: EXIT.usage,
  already_running: EXIT.alreadyRunning,
  port_in_use: EXIT.portInUse,
  offline: EXIT.unreachable,
  shutting_down: EXIT.unreachable,
  not_ready: EXIT.unreachable,
  forbidden: EXIT.unreachable,
  approver_required: EXIT.unreachable,
  deadline_exceeded: EXIT.unreachable,
};

/** The exit code that belongs to a stable error code; 1 for those without one of their own. */
export const exitFor = (code: string): number => EXITS[code] ?? EXIT.failed;

/** The code of an error of ours, or undefined for anything else that was thrown. System errors have a `code` too, but no `detail`. */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof CliError) return error.code;
  const isOurs = error instanceof Error && 'code' in error && 'detail' in error;
  return isOurs && typeof error.code === 'string' ? error.code : undefined;
}

/** Any thrown thing as a CliError. What is not one of ours is a defect: its stack is wanted. */
export function asCliError(error: unknown): CliError {
  if (error instanceof CliError) return error;
  const code = codeOf(error);
  if (error instanceof Error && code !== undefined) return new CliError(code, error.message, exitFor(code));
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new CliError('internal', `Something went wrong that should not have: ${text}`);
}
