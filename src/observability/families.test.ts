import { Registry, type Metric } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { Counter, Histogram, ReadGauge } from './families.ts';

async function text(...families: object[]): Promise<string[]> {
  const registry = new Registry();
  for (const family of families) registry.registerMetric(family as Metric);
  return (await registry.metrics()).trim().split('\n');
}

describe('Counter', () => {
  it('adds up per labels', async () => {
    const counter = new Counter('c_total', 'Things.', ['a', 'b']);
    counter.add(['x', 'y']);
    counter.add(['x', 'y'], 2.5);
    counter.add(['y', 'x']);
    expect(await text(counter)).toEqual([
      '# HELP c_total Things.',
      '# TYPE c_total counter',
      'c_total{a="x",b="y"} 3.5',
      'c_total{a="y",b="x"} 1',
    ]);
  });

  it('escapes label values, so that no value can make another line', async () => {
    const counter = new Counter('c_total', 'Things.', ['a']);
    counter.add(['q"} 1\nfake_total{a="\\']);
    expect((await text(counter)).slice(2)).toEqual(['c_total{a="q\\"} 1\\nfake_total{a=\\"\\\\"} 1']);
  });

  it('counts everything beyond its cap in one further series, and loses nothing', async () => {
    const counter = new Counter('c_total', 'Things.', ['a', 'b']);
    for (let i = 0; i < 20_100; i++) counter.add([`v${i}`, 'x']);
    counter.add(['v3', 'x']);
    const { values } = await counter.get();
    expect(values).toHaveLength(20_001);
    expect(values.at(-1)).toEqual({ labels: { a: 'other', b: 'other' }, value: 100 });
    expect(values[3]).toEqual({ labels: { a: 'v3', b: 'x' }, value: 2 });
    expect(values.reduce((sum, { value }) => sum + value, 0)).toBe(20_101);
  });
});

describe('Histogram', () => {
  it('counts into cumulative buckets, bounds included, with sum and count', async () => {
    const histogram = new Histogram('h_seconds', 'Time.', ['s'], [0.1, 1]);
    for (const value of [0, 0.1, 0.5, 1, 7]) histogram.observe(['a'], value);
    expect((await text(histogram)).slice(2)).toEqual([
      'h_seconds_bucket{s="a",le="0.1"} 2',
      'h_seconds_bucket{s="a",le="1"} 4',
      'h_seconds_bucket{s="a",le="+Inf"} 5',
      'h_seconds_sum{s="a"} 8.6',
      'h_seconds_count{s="a"} 5',
    ]);
  });

  it('shares the overflow series too', async () => {
    const histogram = new Histogram('h_seconds', 'Time.', ['s'], [1]);
    for (let i = 0; i < 20_002; i++) histogram.observe([`v${i}`], 2);
    const { values } = await histogram.get();
    expect(values.at(-1)).toEqual({ metricName: 'h_seconds_count', labels: { s: 'other' }, value: 2 });
  });
});

describe('ReadGauge', () => {
  it('reads when it is scraped', async () => {
    let value = 1;
    const gauge = new ReadGauge('g', 'Now.', () => [{ labels: { name: 'n' }, value }]);
    value = 7;
    expect(await text(gauge)).toEqual(['# HELP g Now.', '# TYPE g gauge', 'g{name="n"} 7']);
  });
});
