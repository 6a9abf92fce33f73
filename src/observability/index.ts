export { addGauges, type GaugeSources } from './gauges.ts';
export { reportEvent } from './report.ts';
export type { CallOutcome, CallRecord } from './call-record.ts';
export { Log, type LogLevel, type LogOptions } from './log.ts';
export { Metrics, type MetricsOptions } from './metrics.ts';
export { Recorder, type Projection } from './recorder.ts';
export { Redactor } from './redact.ts';
