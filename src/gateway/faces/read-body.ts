import type { IncomingMessage } from 'node:http';

export type Body = { readonly ok: true; readonly bytes: Buffer } | { readonly ok: false; readonly why: 'too_large' | 'aborted' };

/** The whole body, at most `limit` bytes. Stops reading at the limit; deadlines are the HTTP server's. */
export function readBody(request: IncomingMessage, limit: number): Promise<Body> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.resolve({ ok: false, why: 'too_large' });
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > limit) {
        request.pause();
        resolve({ ok: false, why: 'too_large' });
      } else chunks.push(chunk);
    });
    request.on('end', () => resolve({ ok: true, bytes: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size) }));
    request.on('error', () => resolve({ ok: false, why: 'aborted' }));
    request.on('close', () => resolve({ ok: false, why: 'aborted' }));
  });
}
