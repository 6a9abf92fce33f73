import { checkModern, errorText, type RequestMessage } from '../../protocol/index.ts';
import { answerRequest, MODERN_METHODS } from '../answer.ts';
import type { Services } from '../frame.ts';
import type { Answer } from '../render.ts';
import type { Exchange } from './exchange.ts';

/** A request of the modern era: stateless, every request complete in itself (S26 Streamable HTTP). */
export async function serveModern(exchange: Exchange, request: RequestMessage, services: Services): Promise<Answer> {
  const { headers } = exchange.request;
  const check = checkModern(request, MODERN_METHODS, headers);
  if (!check.ok) return { text: errorText(request.idText, check.error), status: check.status };
  // Closing the response is how a modern client cancels (S26 "Cancellation").
  const controller = new AbortController();
  const onClose = (): void => controller.abort();
  exchange.response.on('close', onClose);
  try {
    return await answerRequest(
      {
        face: 'streamable-http',
        endpoint: exchange.endpoint,
        principal: exchange.principal,
        client: check.client,
        request,
        headers,
        bytesIn: exchange.bytesIn,
        signal: controller.signal,
      },
      services,
    );
  } finally {
    exchange.response.off('close', onClose);
  }
}
