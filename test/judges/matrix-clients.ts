import type { MatrixJudges } from '../support/matrix-port.ts';
import { v1Http, v1Sse, v1Stdio, v1WebSocket } from './matrix-v1.ts';
import { v2Http, v2Stdio } from './matrix-v2.ts';

export const matrixJudges: MatrixJudges = {
  modern: (target, options) => v2Http(target, 'modern', options),
  legacy: (target, options) => v2Http(target, 'legacy', options),
  v1: v1Http,
  sse: v1Sse,
  webSocket: v1WebSocket,
  stdioModern: (target, options) => v2Stdio(target, 'modern', options),
  stdioLegacy: v1Stdio,
};
