/**
 * Counters and histograms that are filled in batches on the hot path. They render through prom-client's registry (`get`), which
 * keeps the exposition format and the escaping with the library; only the adding up is ours, because it runs once per call.
 */
export type Labels = Readonly<Record<string, string | number>>;

interface Sample {
  readonly metricName?: string;
  readonly labels: Labels;
  readonly value: number;
}

interface MetricJson {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'histogram' | 'gauge';
  readonly values: readonly Sample[];
  readonly aggregator: 'sum';
}

const MAX_SERIES = 20_000;
const OVERFLOW = 'other';

function sameTexts(one: readonly string[], other: readonly string[]): boolean {
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) return false;
  return one.length === other.length;
}

class Family<V> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly series = new Map<string, { labels: Labels; value: V }>();
  readonly #make: () => V;
  /** The series asked for last: calls come in runs of the same kind. */
  #last: { readonly values: readonly string[]; readonly value: V } | undefined;

  constructor(name: string, help: string, labelNames: readonly string[], make: () => V) {
    this.name = name;
    this.help = help;
    this.labelNames = labelNames;
    this.#make = make;
  }

  /** The series of these label values, in the order of `labelNames`. Beyond the cap all further ones share the series `other`. */
  at(values: readonly string[]): V {
    const last = this.#last;
    if (last !== undefined && sameTexts(last.values, values)) return last.value;
    const value = this.#find(values);
    this.#last = { values, value };
    return value;
  }

  #find(values: readonly string[]): V {
    const key = values.length === 1 ? (values[0] as string) : values.join('\u0000');
    const known = this.series.get(key);
    if (known !== undefined) return known.value;
    if (this.series.size < MAX_SERIES) return this.#add(key, values);
    // The overflow series comes on top of the cap: it must be there when there is no room for it.
    const other = this.labelNames.map(() => OVERFLOW);
    const otherKey = other.join('\u0000');
    return this.series.get(otherKey)?.value ?? this.#add(otherKey, other);
  }

  #add(key: string, values: readonly string[]): V {
    const value = this.#make();
    this.series.set(key, { labels: Object.fromEntries(this.labelNames.map((name, i) => [name, values[i] ?? ''])), value });
    return value;
  }
}

export class Counter {
  readonly #family: Family<{ count: number }>;

  constructor(name: string, help: string, labelNames: readonly string[]) {
    this.#family = new Family(name, help, labelNames, () => ({ count: 0 }));
  }

  get name(): string {
    return this.#family.name;
  }

  add(values: readonly string[], by = 1): void {
    this.#family.at(values).count += by;
  }

  get(): Promise<MetricJson> {
    const values = [...this.#family.series.values()].map(({ labels, value }) => ({ labels, value: value.count }));
    return Promise.resolve({ name: this.name, help: this.#family.help, type: 'counter', values, aggregator: 'sum' });
  }
}

export class Histogram {
  readonly #family: Family<{ counts: Uint32Array; sum: number }>;
  readonly #bounds: readonly number[];

  /** `bounds` are upper bounds in seconds, ascending. */
  constructor(name: string, help: string, labelNames: readonly string[], bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#family = new Family(name, help, labelNames, () => ({ counts: new Uint32Array(bounds.length + 1), sum: 0 }));
  }

  get name(): string {
    return this.#family.name;
  }

  observe(values: readonly string[], seconds: number): void {
    this.#add(this.#family.at(values), seconds);
  }

  /** The same for a family with one label. */
  observeOne(value: string, seconds: number): void {
    const series = this.#family.series.get(value);
    this.#add(series === undefined ? this.#family.at([value]) : series.value, seconds);
  }

  #add(series: { counts: Uint32Array; sum: number }, seconds: number): void {
    let i = 0;
    while (i < this.#bounds.length && seconds > (this.#bounds[i] as number)) i++;
    series.counts[i] = (series.counts[i] as number) + 1;
    series.sum += seconds;
  }

  get(): Promise<MetricJson> {
    const values = [...this.#family.series.values()].flatMap(({ labels, value }) => this.#samples(labels, value));
    return Promise.resolve({ name: this.name, help: this.#family.help, type: 'histogram', values, aggregator: 'sum' });
  }

  #samples(labels: Labels, { counts, sum }: { counts: Uint32Array; sum: number }): Sample[] {
    let total = 0;
    const buckets = [...this.#bounds, '+Inf'].map((le, i) => {
      total += counts[i] ?? 0;
      return { metricName: `${this.name}_bucket`, labels: { ...labels, le }, value: total };
    });
    return [...buckets, { metricName: `${this.name}_sum`, labels, value: sum }, { metricName: `${this.name}_count`, labels, value: total }];
  }
}

/** A gauge whose samples are read when it is scraped. */
export class ReadGauge {
  readonly name: string;
  readonly #help: string;
  readonly #read: () => readonly { labels: Labels; value: number }[];
  readonly #type: 'gauge' | 'counter';

  constructor(name: string, help: string, read: () => readonly { labels: Labels; value: number }[], type: 'gauge' | 'counter' = 'gauge') {
    this.name = name;
    this.#help = help;
    this.#read = read;
    this.#type = type;
  }

  get(): Promise<MetricJson> {
    return Promise.resolve({ name: this.name, help: this.#help, type: this.#type, values: this.#read(), aggregator: 'sum' });
  }
}
