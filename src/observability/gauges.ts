import type { Metrics } from './metrics.ts';

/** What the gauges read at each scrape. */
export interface GaugeSources {
  servers(): readonly { readonly name: string; readonly state: { readonly state: string } }[];
  upstreams(): {
    readonly children: number;
    readonly byServer: readonly {
      readonly name: string;
      readonly inFlight: number;
      readonly restarts: number;
      readonly breaker?: string;
    }[];
  };
  sessions(): number;
}

const BREAKER_STATES = ['closed', 'open', 'half_open'];
const STATES = ['stopped', 'connecting', 'ready', 'backing_off'];

/** Gauges of servers, children and sessions. */
export function addGauges(metrics: Metrics, sources: GaugeSources): void {
  metrics.gauge('stockpulse_upstream_state', '1 for the state that each server is in.', () =>
    sources
      .servers()
      .flatMap(({ name, state }) => STATES.map((each) => ({ labels: { server: name, state: each }, value: state.state === each ? 1 : 0 }))),
  );
  metrics.gauge('stockpulse_upstream_children', 'Child processes of stdio servers.', () => [
    { labels: {}, value: sources.upstreams().children },
  ]);
  metrics.gauge('stockpulse_upstream_in_flight', 'Calls under way at each upstream.', () =>
    sources.upstreams().byServer.map(({ name, inFlight }) => ({ labels: { server: name }, value: inFlight })),
  );
  metrics.gauge('stockpulse_upstream_restarts', 'Connections made to each upstream after the first one.', () =>
    sources.upstreams().byServer.map(({ name, restarts }) => ({ labels: { server: name }, value: restarts })),
  );
  metrics.gauge('stockpulse_upstream_breaker', '1 for the state that the breaker of each upstream is in.', () =>
    sources
      .upstreams()
      .byServer.filter(({ breaker }) => breaker !== undefined)
      .flatMap(({ name, breaker }) =>
        BREAKER_STATES.map((state) => ({ labels: { server: name, state }, value: breaker === state ? 1 : 0 })),
      ),
  );
  metrics.gauge('stockpulse_sessions', 'Sessions of legacy clients.', () => [{ labels: {}, value: sources.sessions() }]);
}
