import { canonicalJson, type Call, type Outcome } from '../../protocol/index.ts';

/** A read that is under way, and that others with the same question may wait for. */
export interface Flight {
  readonly call: Call;
  /** Settles with the outcome, or with undefined where it is of no use to others. */
  readonly outcome: Promise<Outcome | undefined>;
}

export interface FlightsOptions {
  /** Reads that are remembered at once; more go out by themselves. */
  readonly max: number;
  /** True if everybody may get the same answer: then callers are not told apart. */
  readonly shared: boolean;
}

/** Rounds of a call, and what is told while it runs, belong to one caller. */
export function mayShare(call: Call): boolean {
  return (
    call.sideEffect === 'read' &&
    call.state === undefined &&
    call.answers === undefined &&
    call.logLevel === undefined &&
    !call.progress &&
    call.offers.text === '{}'
  );
}

/** The reads under way at one server: the same question of the same caller goes out once (DESIGN 5). */
export class Flights {
  readonly #options: FlightsOptions;
  /** By a key that is cheap to make; whether two are really the same is looked at when two meet. */
  readonly #byKey = new Map<string, Flight[]>();
  #size = 0;

  constructor(options: FlightsOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  /** A flight with the same question. */
  find(call: Call): Flight | undefined {
    const flights = this.#byKey.get(this.#keyOf(call));
    if (flights === undefined) return undefined;
    const question = questionOf(call);
    return flights.find((flight) => questionOf(flight.call) === question);
  }

  /** Remembers the call until the returned function is called with its outcome. Undefined at the cap. */
  begin(call: Call): ((outcome: Outcome | undefined) => void) | undefined {
    if (this.#size >= this.#options.max) return undefined;
    const { promise, resolve } = Promise.withResolvers<Outcome | undefined>();
    const flight: Flight = { call, outcome: promise };
    const key = this.#keyOf(call);
    const flights = this.#byKey.get(key);
    if (flights === undefined) this.#byKey.set(key, [flight]);
    else flights.push(flight);
    this.#size++;
    return (outcome) => {
      this.#end(key, flight);
      resolve(outcome);
    };
  }

  #end(key: string, flight: Flight): void {
    const flights = this.#byKey.get(key);
    const at = flights?.indexOf(flight) ?? -1;
    if (flights === undefined || at < 0) return;
    flights.splice(at, 1);
    if (flights.length === 0) this.#byKey.delete(key);
    this.#size--;
  }

  #keyOf({ method, subject, caller, client }: Call): string {
    return `${method}\n${subject?.value ?? ''}\n${this.#options.shared ? '' : caller.principal}\n${client.revision}`;
  }
}

/** What is asked, however it is written: params without `_meta`. */
function questionOf({ params, edits }: Call): string {
  const { _meta, ...rest } = params?.value ?? {};
  return canonicalJson([rest, edits]);
}
