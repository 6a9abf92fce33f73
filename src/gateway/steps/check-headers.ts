import { checkParamHeaders, isObject } from '../../protocol/index.ts';
import type { Step } from '../frame.ts';

/** The `Mcp-Param-*` headers must say what the arguments say, where the transport has headers. */
export const checkHeaders: Step = (frame) => {
  const { headers, exposed } = frame;
  if (headers === undefined || exposed === undefined || exposed.tool.headerParams.length === 0) return undefined;
  const args = frame.request.params?.value.arguments;
  const error = checkParamHeaders(headers, exposed.tool.headerParams, isObject(args) ? args : {});
  return error && { kind: 'error', error };
};
