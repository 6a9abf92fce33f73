export { errorBody, HTTP_ERROR_CODES, statusOf, type ErrorBody } from './errors.ts';
export {
  apiKeyView,
  createKeyRequest,
  keyList,
  keyWithSecret,
  MAX_OVERLAP_SECONDS,
  revokedKey,
  rotatedKey,
  rotateKeyRequest,
  type ApiKeyReply,
  type CreateKeyRequest,
  type KeyWithSecretReply,
  type RotatedKeyReply,
  type RotateKeyRequest,
} from './keys.ts';
export { mapError, type MappedError } from './map-error.ts';
export { fullPath, requestPath } from './request-path.ts';
export {
  ADMIN_PREFIX,
  adminRoutes,
  APPROVER_HEADER,
  type AdminRequest,
  type AdminRoute,
  type AdminRouteName,
  type BodyOf,
  type ParamsOf,
  type QueryOf,
  type ReplyOf,
} from './routes.ts';
export { serverDetail, serverList, serverTest, serverView, type ServerDetail, type ServerTest, type ServerView } from './servers.ts';
export { doctorCheck, doctorReply, statusReply, type DoctorCheck, type DoctorReply, type StatusReply } from './status.ts';
export {
  callToolAnswer,
  callToolRequest,
  endpointPath,
  toolList,
  toolsQuery,
  toolView,
  type CallToolAnswer,
  type CallToolRequest,
  type ToolList,
  type ToolView,
} from './tools.ts';
