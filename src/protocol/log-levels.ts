/** Severities of `notifications/message`, the lowest first (RFC 5424; S25 and S26 logging). */
export const LOG_LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'] as const;

export type LogLevel = (typeof LOG_LEVELS)[number];

export function isLogLevel(value: unknown): value is LogLevel {
  return (LOG_LEVELS as readonly unknown[]).includes(value);
}

/** True if a message of `level` is to be told to somebody who wants `lowest` and above. An unknown level is told. */
export function reaches(level: unknown, lowest: LogLevel): boolean {
  return !isLogLevel(level) || LOG_LEVELS.indexOf(level) >= LOG_LEVELS.indexOf(lowest);
}
