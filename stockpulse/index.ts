export { simulationClock, type ClockSetting } from './clock.ts';
export { ApiError, ERROR_CODES, type ErrorBody, type ErrorFacts } from './errors.ts';
export type { Caps, Envelope } from './envelope.ts';
export { createStockPulse, type StockPulse, type StockPulseOptions } from './platform.ts';
export {
  type Annotations,
  type ApiIdentity,
  type ApiRefusal,
  type ApiRoute,
  defineRoute,
  type HandlerContext,
  type HandlerInput,
  type ToolFacts,
} from './route.ts';
