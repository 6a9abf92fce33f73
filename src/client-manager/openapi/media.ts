import { isObject, type JsonObject } from '../../protocol/index.ts';

/** `application/json` of `Application/JSON; charset=utf-8`. */
export const mediaType = (contentType: string): string => (contentType.split(';', 1)[0] ?? '').trim().toLowerCase();

export const isJson = (type: string): boolean => /^(application|text)\/(json|[\w.+-]+\+json)$/.test(type);

/** What people can read. */
export const isText = (type: string): boolean =>
  type.startsWith('text/') || /^application\/(xml|yaml|x-yaml|javascript|x-ndjson|graphql|[\w.-]+\+(xml|yaml))$/.test(type);

export interface Media {
  /** As the document writes it. */
  readonly type: string;
  readonly media: JsonObject;
}

/** The first entry of a `content` map whose type fits. */
export function mediaOf(content: unknown, fits: (type: string) => boolean): Media | undefined {
  if (!isObject(content)) return undefined;
  for (const [type, media] of Object.entries(content)) if (isObject(media) && fits(mediaType(type))) return { type, media };
  return undefined;
}
