import type { ApiRoute } from '../route.ts';
import { historyRoute } from './history.ts';
import { indicatorsRoute } from './indicators.ts';
import type { Platform } from './platform.ts';
import { pricesRoute } from './prices.ts';
import { screenerRoute } from './screener.ts';
import { searchRoute } from './search.ts';
import { statusRoute } from './status.ts';

export type { Platform } from './platform.ts';

/** Every route, in the order in which tools are listed. */
export function makeRoutes(platform: Platform): readonly ApiRoute[] {
  return [
    pricesRoute(platform),
    historyRoute(platform),
    indicatorsRoute(platform),
    screenerRoute(platform),
    searchRoute(platform),
    statusRoute(platform),
  ];
}
