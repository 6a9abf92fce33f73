import type { Requirement } from '../requirement.ts';

/** S26 basic/transports/stdio. */
export const stdio = [
  { id: 'stdio-lines', source: 'S26 stdio#stdio', side: 'server', behaviour: 'a message is one line' },
  { id: 'stdio-client-lines', source: 'S26 stdio#stdio', side: 'client', behaviour: 'a message to a server is one line' },
  { id: 'stdio-only-mcp', source: 'S26 stdio#stdio', side: 'server', behaviour: 'stdout carries MCP messages only' },
  { id: 'stdio-client-only-mcp', source: 'S26 stdio#stdio', side: 'client', behaviour: 'the stdin of a server gets MCP messages only' },
  {
    id: 'stdio-client-no-response',
    source: 'S26 stdio#sending-messages',
    side: 'client',
    behaviour: 'no JSON-RPC response is written to a modern server',
  },
  {
    id: 'stdio-correlate',
    source: 'S26 stdio#receiving-messages',
    side: 'client',
    behaviour: 'notifications of a subscription are told apart by its id',
  },
  {
    id: 'stdio-no-requests',
    source: 'S26 stdio#receiving-messages',
    side: 'server',
    behaviour: 'no request is written to a modern client',
  },
  {
    id: 'stdio-client-cancel',
    source: 'S26 stdio#cancellation',
    side: 'client',
    behaviour: 'a request is cancelled by notifications/cancelled with its id',
  },
  {
    id: 'stdio-cancel-silent',
    source: 'S26 stdio#cancellation',
    side: 'server',
    behaviour: 'nothing more is written for a cancelled request',
  },
  {
    id: 'stdio-fallback',
    source: 'S26 stdio#backward-compatibility',
    side: 'client',
    behaviour: 'any unknown error of a probe, and silence, mean a legacy server',
  },
] as const satisfies readonly Requirement[];
