import type { Log, LogLevel } from './log.ts';

const WARNINGS: ReadonlySet<string> = new Set([
  'breaker',
  'connect_failed',
  'lost',
  'tools_left_out',
  'group_survives',
  'garbage',
  'frame_too_large',
  'failed',
  'connections_full',
  'forced_close',
  'suppressed',
  'verdicts_fault',
  'pins_fault',
]);

const levelOf = (kind: string): LogLevel => {
  if (WARNINGS.has(kind)) return 'warn';
  return kind === 'child_started' ? 'debug' : 'info';
};

/** Logs what a room reported: modules emit events, and the level is decided here. */
export function reportEvent(log: Log, event: { readonly kind: string }): void {
  const { kind, ...fields } = event;
  log.event(levelOf(kind), kind, fields);
}
