import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Caps } from '../../shared/index.ts';
import { EventStore, type EventOwner } from './event-store.ts';
import { SessionStreams, type EventSink } from './streams.ts';

class Owner implements EventOwner {
  readonly forgotten: number[] = [];
  forget(sequence: number): void {
    this.forgotten.push(sequence);
  }
}

/** Keeps what a client would see. */
class Sink implements EventSink {
  open = true;
  behind = false;
  readonly events: { readonly text: string; readonly id: string }[] = [];
  readonly primed: string[] = [];
  readonly #listeners: (() => void)[] = [];
  event(text: string, id: string): void {
    if (this.open) this.events.push({ text, id });
  }
  prime(id: string): void {
    this.primed.push(id);
  }
  end(): void {
    this.open = false;
    for (const listener of this.#listeners.splice(0)) listener();
  }
  onClose(listener: () => void): void {
    this.#listeners.push(listener);
  }
}

const limits = { bytes: 20_000, sessionEvents: 10, sessionBytes: 8000, eventBytes: 4000 };

describe('the event store', () => {
  it('holds its bounds whatever is stored, keeps the newest, and returns to zero', () => {
    const append = fc.record({ log: fc.nat(4), bytes: fc.nat(5000) });
    fc.assert(
      fc.property(fc.array(append, { maxLength: 200 }), (steps) => {
        const store = new EventStore({ caps: new Caps(), ...limits });
        const logs = Array.from({ length: 5 }, () => ({ log: store.open(), owner: new Owner(), last: 0 }));
        for (const { log: at, bytes } of steps) {
          const one = logs[at] as (typeof logs)[number];
          const sequence = ++one.last;
          const kept = one.log.append(one.owner, sequence, 'x'.repeat(bytes));
          expect(kept).toBe(bytes + 128 <= limits.eventBytes);
          if (kept) expect(one.log.after(one.owner, sequence - 1).map((event) => event.sequence)).toEqual([sequence]);
          expect(one.log.size).toBeLessThanOrEqual(limits.sessionEvents);
          expect(one.log.bytes).toBeLessThanOrEqual(limits.sessionBytes);
          expect(store.size).toBeLessThanOrEqual(limits.bytes);
          expect(store.size).toBe(logs.reduce((sum, { log }) => sum + log.bytes, 0));
        }
        for (const { owner } of logs) expect(owner.forgotten).toEqual(owner.forgotten.toSorted((a, b) => a - b));
        for (const { log } of logs) log.end();
        expect(store.size).toBe(0);
      }),
    );
  });

  it('takes from who was silent for longest when all together hold too much', () => {
    const store = new EventStore({ caps: new Caps(), ...limits, bytes: 9000 });
    const [quiet, loud] = [store.open(), store.open()];
    const owner = new Owner();
    quiet.append(owner, 1, 'x'.repeat(3000));
    for (let i = 1; i <= 2; i++) loud.append(owner, i, 'x'.repeat(3500));
    expect([quiet.size, loud.size]).toEqual([0, 2]);
    quiet.append(owner, 2, 'x'.repeat(3500));
    expect([quiet.size, loud.size]).toEqual([1, 1]);
  });
});

describe('a stream that breaks and is resumed anywhere', () => {
  const response = (id: number): string => `{"jsonrpc":"2.0","id":${id},"result":{}}`;

  it('shows each event once and in order, and an error for a response that is gone', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.constant('send' as const) },
      { weight: 2, arbitrary: fc.constant('break' as const) },
      { weight: 2, arbitrary: fc.constant('resume' as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 9 }), fc.boolean(), (steps, tooLarge) => {
        const streams = new SessionStreams(new EventStore({ caps: new Caps(), ...limits }), false);
        let sink = new Sink();
        const stream = streams.open(sink);
        const seen: string[] = [];
        let lastId = `${stream.id}_0`;
        const read = (): void => {
          for (const { text, id } of sink.events.splice(0)) {
            seen.push(text);
            lastId = id;
          }
        };
        const resume = (): void => {
          sink = new Sink();
          expect(streams.resume(lastId, () => sink)).toBe(true);
          read();
        };
        let sent = 0;
        for (const what of steps) {
          if (what === 'send') stream.send(`event ${++sent}`, false);
          else if (what === 'break') sink.end();
          else if (!sink.open) resume();
          read();
        }
        sink.end();
        stream.respond(tooLarge ? response(1).replace('{}', `"${'x'.repeat(5000)}"`) : response(1), '1');
        stream.finish();
        resume();
        expect(seen.slice(0, -1)).toEqual(Array.from({ length: sent }, (_, i) => `event ${i + 1}`));
        expect(JSON.parse(seen.at(-1) ?? '')).toMatchObject(tooLarge ? { id: 1, error: { code: 5130 } } : { id: 1, result: {} });
        expect(sink.open).toBe(false);
      }),
    );
  });

  it('whose response gave way to later events is resumed with an error for it', () => {
    const streams = new SessionStreams(new EventStore({ caps: new Caps(), ...limits }), true);
    const first = new Sink();
    const stream = streams.open(first);
    expect(first.primed).toEqual([`${stream.id}_0`]);
    stream.respond(response(7), '7');
    stream.respond(response(8), '8');
    stream.finish();
    const listening = new Sink();
    streams.listen(listening);
    for (let i = 0; i < 9; i++) streams.send(`n${i}`, true);
    const again = new Sink();
    expect(streams.resume(`${stream.id}_0`, () => again)).toBe(true);
    expect(again.events.map(({ text }) => JSON.parse(text) as unknown)).toMatchObject([
      { id: 7, error: { code: 5130 } },
      { id: 8, result: {} },
    ]);
    streams.send('n9', true);
    expect(streams.resume(`${stream.id}_0`, () => new Sink())).toBe(false);
    expect(streams.size).toBe(1);
    streams.end();
    expect([streams.size, listening.open]).toEqual([0, false]);
  });

  it('is not filled with what may be dropped while its reader is behind', () => {
    const store = new EventStore({ caps: new Caps(), ...limits });
    const streams = new SessionStreams(store, false);
    const sink = new Sink();
    const stream = streams.open(sink);
    sink.behind = true;
    expect([stream.send('progress', true), stream.send('ask', false)]).toEqual([true, true]);
    expect(sink.events.map(({ text }) => text)).toEqual(['ask']);
  });
});
