export { ApiServer, type ApiServerOptions } from './api-server.ts';
export { checkApi, type ApiCheckReport } from './check-api.ts';
export { apiCatalogue } from './catalogue.ts';
export { apiClient, type ApiClient, type ApiClientOptions, type ApiFetch, type ApiReply, type ApiRequest } from './fetch.ts';
export { readApi, readApiInTurns } from './read-api.ts';
export type { ApiCredentials } from './request.ts';
export { ApiTarget, type ApiTargetOptions } from './target.ts';
export {
  API_LIMITS,
  type ApiConfig,
  type ApiFacts,
  type ApiLimits,
  type ApiOperation,
  type ApiOptions,
  type ApiReading,
  type ApiToolPolicy,
} from './types.ts';
