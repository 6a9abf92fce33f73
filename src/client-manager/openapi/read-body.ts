import type { ApiReply } from './fetch.ts';

export interface BodyRead {
  readonly bytes: Buffer;
  /** True if there was more. */
  readonly cut: boolean;
}

/** The first `max` bytes of a body. The rest is not read, which ends its connection. */
export async function readBytes({ body }: Pick<ApiReply, 'body'>, max: number): Promise<BodyRead> {
  if (body instanceof Uint8Array) return { bytes: Buffer.from(body.subarray(0, max)), cut: body.length > max };
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > max) break;
  }
  return { bytes: Buffer.concat(chunks).subarray(0, max), cut: size > max };
}

export function headerOf({ headers }: Pick<ApiReply, 'headers'>, name: string): string | undefined {
  const value = headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** The text of the bytes in the charset of their type, UTF-8 by default. A character that a cut went through is left out. */
export function decoded(bytes: Uint8Array, contentType = ''): string {
  const [, charset = 'utf-8'] = /charset="?([\w-]{1,40})/i.exec(contentType) ?? [];
  return decoder(charset).decode(bytes, { stream: true });
}

function decoder(charset: string): InstanceType<typeof TextDecoder> {
  try {
    return new TextDecoder(charset);
  } catch {
    return new TextDecoder('utf-8');
  }
}

/** The text, cut to that many bytes of UTF-8. */
export function cutText(text: string, maxBytes: number): string {
  const bytes = Buffer.from(text);
  return bytes.length <= maxBytes ? text : decoded(bytes.subarray(0, maxBytes));
}
