import { describe, expect, it } from 'vitest';
import { BoundedCount, Caps } from '../shared/index.ts';
import { Metrics } from './metrics.ts';
import { record } from './test-support.ts';

/** Metric names are public: dashboards and alert rules are written against them. */
const NAMES = [
  'stockpulse_calls_total counter',
  'stockpulse_call_errors_total counter',
  'stockpulse_call_duration_seconds histogram',
  'stockpulse_step_duration_seconds histogram',
  'stockpulse_attempts_total counter',
  'stockpulse_call_bytes_total counter',
  'stockpulse_bounded_size gauge',
  'stockpulse_bounded_cap gauge',
  'stockpulse_bounded_refused_total counter',
];

const LINE =
  /^(# (HELP|TYPE) [a-z_]+ .*|[a-z_]+(\{[a-z]+="([^"\\\n]|\\["\\n])*"(,[a-z]+="([^"\\\n]|\\["\\n])*")*\})? (\d+(\.\d+)?(e[+-]?\d+)?|Nan))$/;

describe('Metrics', () => {
  it('has these names and types', async () => {
    const text = await new Metrics({ caps: new Caps(), process: false }).text();
    expect(text.match(/^# TYPE .*$/gm)?.map((line) => line.slice(7))).toEqual(NAMES);
  });

  it('is made from call records and from every bounded collection', async () => {
    const caps = new Caps();
    const metrics = new Metrics({ caps, process: false });
    new BoundedCount('calls_in_flight', 5, caps).enter();
    metrics.calls([
      record({ stepNames: ['resolve'], stepMs: [0.02], attempts: [{ server: 'up', via: 'stdio-legacy', durationMs: 1, outcome: 'ok' }] }),
      record({ outcome: 'failed', errorCode: 'busy', durationMs: 2000, tool: undefined }),
    ]);
    const lines = (await metrics.text()).split('\n');
    for (const line of [
      'stockpulse_calls_total{method="tools/call",server="up",tool="get",outcome="ok"} 1',
      'stockpulse_calls_total{method="tools/call",server="up",tool="",outcome="failed"} 1',
      'stockpulse_call_errors_total{method="tools/call",server="up",code="busy"} 1',
      'stockpulse_call_duration_seconds_bucket{method="tools/call",server="up",le="0.0025"} 1',
      'stockpulse_call_duration_seconds_bucket{method="tools/call",server="up",le="2.5"} 2',
      'stockpulse_step_duration_seconds_bucket{step="resolve",le="0.00001"} 0',
      'stockpulse_step_duration_seconds_bucket{step="resolve",le="0.000025"} 1',
      'stockpulse_attempts_total{server="up",via="stdio-legacy",outcome="ok"} 1',
      'stockpulse_call_bytes_total{direction="in"} 20',
      'stockpulse_call_bytes_total{direction="out"} 40',
      'stockpulse_bounded_size{name="calls_in_flight"} 1',
      'stockpulse_bounded_cap{name="calls_in_flight"} 5',
      'stockpulse_bounded_refused_total{name="calls_in_flight"} 0',
    ])
      expect(lines).toContain(line);
  });

  it('every line parses, whatever a tool is called', async () => {
    const metrics = new Metrics({ caps: new Caps(), process: false });
    metrics.calls(
      ['a"b', 'a\\', 'a\nb 1', '}', 'ключ', ''].map((tool) => record({ tool, errorCode: tool, stepNames: ['s'], stepMs: [1] })),
    );
    for (const line of (await metrics.text()).split('\n').filter((text) => text !== '')) expect(line).toMatch(LINE);
  });

  it('takes gauges of others, and the process’s own metrics when told', async () => {
    const metrics = new Metrics({ caps: new Caps(), process: true });
    metrics.gauge('stockpulse_sessions', 'Sessions.', () => [{ labels: {}, value: 3 }]);
    const text = await metrics.text();
    expect(text).toContain('\nstockpulse_sessions 3\n');
    expect(text).toContain('process_cpu_seconds_total');
    expect(metrics.contentType).toContain('text/plain');
  });
});
