import { request } from 'node:http';
import { join } from 'node:path';
import type { Json } from './wire.ts';

/** One request to the management API on the 0600 socket; rejects when the process on the other side dies. */
export function askLocal(dataDir: string, method: string, path: string, body?: unknown): Promise<{ status: number; json: Json }> {
  const payload = body === undefined ? undefined : JSON.stringify(body);
  const headers = { host: 'localhost', ...(payload === undefined ? {} : { 'content-type': 'application/json' }) };
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath: join(dataDir, 'admin.sock'), agent: false, method, path: `/admin/v1${path}`, headers },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          try {
            resolve({ status: response.statusCode ?? 0, json: JSON.parse(Buffer.concat(chunks).toString('utf8')) as Json });
          } catch (error) {
            reject(error as Error);
          }
        });
      },
    );
    sent.on('error', reject);
    sent.end(payload);
  });
}
