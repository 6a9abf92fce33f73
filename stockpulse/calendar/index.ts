export { type Day, DAY_MS, isoDate, MINUTE_MS, parseIsoDate } from './days.ts';
export { fromLocal, localDate, rfc3339, TIME_ZONE, toLocal } from './new-york.ts';
export * from './sessions.ts';
