export * from './asks.ts';
export * from './canonical.ts';
export * from './capabilities.ts';
export * from './discover.ts';
export * from './down-results.ts';
export * from './envelope.ts';
export * from './errors.ts';
export * from './failures.ts';
export * from './header-params.ts';
export * from './headers.ts';
export * from './json-text.ts';
export * from './legacy-asks.ts';
export * from './log-levels.ts';
export * from './meta.ts';
export * from './modern-request.ts';
export * from './notifications.ts';
export * from './outgoing.ts';
export * from './progress.ts';
export * from './response-splicer.ts';
export * from './results.ts';
export * from './revisions.ts';
export {
  SCHEMA_BOUNDS,
  SchemaCompiler,
  describeViolations,
  preparer,
  type Prepared,
  withoutOptionalNulls,
  type Validate,
  type Validator,
  type Violation,
} from './schema.ts';
export * from './rounds.ts';
export * from './sse.ts';
export * from './subscriptions.ts';
export * from './target.ts';
export * from './tools.ts';
