import type { Requirement } from '../requirement.ts';

/** S26 basic/versioning. */
export const versioning = [
  {
    id: 'version-unsupported',
    source: 'S26 versioning#protocol-version-negotiation',
    side: 'server',
    behaviour: 'an unsupported version is -32022 with the supported ones',
  },
  {
    id: 'version-discover',
    source: 'S26 versioning#protocol-version-negotiation',
    side: 'server',
    behaviour: 'server/discover is answered',
  },
  {
    id: 'version-extension-ids',
    source: 'S26 versioning#extension-negotiation',
    side: 'server',
    behaviour: 'extensions that we declare have a prefixed name',
  },
  {
    id: 'version-extension-fallback',
    source: 'S26 versioning#extension-negotiation',
    side: 'server',
    behaviour: 'without an extension on the other side: core behaviour, or a fitting error',
  },
] as const satisfies readonly Requirement[];
