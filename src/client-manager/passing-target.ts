import type { Announcement, Call, CallContext, Caller, Era, Interest, Listening, Outcome } from '../protocol/index.ts';
import type { ListName } from '../registry/index.ts';
import type { MintingInner } from './tasks/minting-target.ts';

const HEARS_NOTHING: Listening = { honoured: Promise.resolve({ uris: [], taskIds: [] }), close: () => undefined };

/** A target in front of another: all but its calls passes. */
export abstract class PassingTarget implements MintingInner {
  protected readonly inner: MintingInner;

  constructor(inner: MintingInner) {
    this.inner = inner;
  }

  abstract handle(call: Call, context: CallContext): Promise<Outcome>;

  async prepare(era: Era, asks?: boolean): Promise<boolean> {
    return (await this.inner.prepare?.(era, asks)) ?? true;
  }

  async refresh(list: ListName, era: Era, deadlineMs: number): Promise<void> {
    await this.inner.refresh?.(list, era, deadlineMs);
  }

  listen(interest: Interest, caller: Caller, onAnnouncement: (announcement: Announcement) => void): Listening {
    return this.inner.listen?.(interest, caller, onAnnouncement) ?? HEARS_NOTHING;
  }

  completes(call: Call): boolean {
    return this.inner.completes(call);
  }
}
