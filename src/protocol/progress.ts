import { notificationText } from './envelope.ts';
import { editedText } from './json-edit.ts';
import { META } from './meta.ts';
import type { JsonText } from './json-text.ts';

/** Lets the progress of one call pass while it increases (S26 progress, "Progress Flow"; PROTOCOL C12). One per call, over all its legs. */
export class ProgressGate {
  #last = Number.NEGATIVE_INFINITY;

  /** True for a notification that may be passed on: its `progress` is greater than that of all before it. */
  pass(params: JsonText | undefined): boolean {
    const progress = params?.value.progress;
    if (typeof progress !== 'number' || !Number.isFinite(progress) || progress <= this.#last) return false;
    this.#last = progress;
    return true;
  }
}

/** A `notifications/progress` for the client, with the token (JSON text) that it chose. */
export function progressText(params: JsonText, token: string): string {
  return notificationText('notifications/progress', editedText(params.text, [[META.progressToken, token]]));
}
