import type { ClientManager } from './client-manager/index.ts';
import type { McpGateway } from './gateway/index.ts';
import type { HttpHost } from './http/index.ts';
import { sleep } from './shared/index.ts';

export interface Running {
  readonly host: Pick<HttpHost, 'close'>;
  readonly clients: Pick<ClientManager, 'drain' | 'stop'>;
  readonly mcp: Pick<McpGateway, 'endAsks'>;
  /** Tells clients on the stdio of this process that nothing more is taken from them. */
  readonly ending: AbortController;
  /** Settle when those clients have all their answers. */
  readonly served: ReadonlySet<Promise<unknown>>;
}

/** Answers that were due at the end have so long to leave. */
const LAST_WORDS_MS = 1_000;

/**
 * Ends what is under way: calls and tasks have one period of grace to come to their end. What still runs then gets an answer of ours, that its
 * outcome is unknown, before connections are cut.
 */
export async function windDown({ host, clients, mcp, ending, served }: Running, graceMs: number): Promise<void> {
  ending.abort(new Error('the gateway is shutting down'));
  const cut = (): void => {
    // First the servers: a call of theirs that waits for its client ends as what it is.
    void clients.stop();
    mcp.endAsks();
  };
  const lastOfStdio = async (): Promise<void> => {
    if (served.size === 0) return;
    const over = Promise.allSettled(served).then(() => true);
    if (await Promise.race([over, sleep(graceMs)])) return;
    cut();
    await Promise.race([over, sleep(LAST_WORDS_MS)]);
  };
  await Promise.all([host.close(graceMs, { cut, lastWordsMs: LAST_WORDS_MS }), clients.drain(graceMs), lastOfStdio()]);
}
