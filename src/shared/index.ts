export { sleep, withDeadline } from './async.ts';
export { Bounded, BoundedCount, Caps, type BoundedOptions, type Gauge } from './bounded.ts';
export { systemClock, type Clock } from './clock.ts';
export { AppError, messageOf } from './errors.ts';
export { randomText, sortableId, uuid } from './ids.ts';
