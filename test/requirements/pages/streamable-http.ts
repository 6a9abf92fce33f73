import type { Requirement } from '../requirement.ts';

/** S26 basic/transports/streamable-http, without its chapter on headers. */
export const streamableHttp = [
  { id: 'http-endpoint', source: 'S26 streamable-http#streamable-http', side: 'server', behaviour: 'one path takes POST' },
  {
    id: 'http-origin',
    source: 'S26 streamable-http#security--endpoint',
    side: 'server',
    behaviour: 'the Origin of every connection is checked',
  },
  {
    id: 'http-origin-403',
    source: 'S26 streamable-http#security--endpoint',
    side: 'server',
    behaviour: 'an invalid Origin is answered 403',
  },
  {
    id: 'http-client-post',
    source: 'S26 streamable-http#sending-messages',
    side: 'client',
    behaviour: 'each message is a POST of its own',
  },
  {
    id: 'http-client-accept',
    source: 'S26 streamable-http#sending-messages',
    side: 'client',
    behaviour: 'Accept names application/json and text/event-stream',
  },
  {
    id: 'http-client-metadata',
    source: 'S26 streamable-http#sending-messages',
    side: 'client',
    behaviour: 'every POST carries the metadata headers',
  },
  {
    id: 'http-client-single',
    source: 'S26 streamable-http#sending-messages',
    side: 'client',
    behaviour: 'a body is one request or one notification',
  },
  {
    id: 'http-client-no-response',
    source: 'S26 streamable-http#sending-messages',
    side: 'client',
    behaviour: 'no JSON-RPC response is ever sent',
  },
  {
    id: 'http-notification-202',
    source: 'S26 streamable-http#sending-messages',
    side: 'server',
    behaviour: 'an accepted notification is answered 202 without a body',
  },
  {
    id: 'http-notification-refused',
    source: 'S26 streamable-http#sending-messages',
    side: 'server',
    behaviour: 'a notification that cannot be taken is answered with an error status',
  },
  {
    id: 'http-answer-type',
    source: 'S26 streamable-http#sending-messages',
    side: 'server',
    behaviour: 'a request is answered as one JSON object or as an event stream',
  },
  {
    id: 'http-client-both-types',
    source: 'S26 streamable-http#sending-messages',
    side: 'client',
    behaviour: 'answers are understood as JSON and as an event stream',
  },
  {
    id: 'http-related',
    source: 'S26 streamable-http#receiving-messages',
    side: 'server',
    behaviour: 'what comes on the stream of a request belongs to that request',
  },
  {
    id: 'http-no-requests',
    source: 'S26 streamable-http#receiving-messages',
    side: 'server',
    behaviour: 'no request is sent on the stream of an answer',
  },
  {
    id: 'http-close-cancels',
    source: 'S26 streamable-http#cancellation',
    side: 'server',
    behaviour: 'closing the response is a cancellation of its request',
  },
  {
    id: 'http-close-silent',
    source: 'S26 streamable-http#cancellation',
    side: 'server',
    behaviour: 'nothing more is sent for a cancelled request',
  },
  {
    id: 'http-version-header',
    source: 'S26 streamable-http#protocol-version-header',
    side: 'client',
    behaviour: 'every POST has MCP-Protocol-Version, and it says what _meta says',
  },
  {
    id: 'http-version-mismatch',
    source: 'S26 streamable-http#protocol-version-header',
    side: 'server',
    behaviour: 'a header that differs from _meta is refused: 400, -32020',
  },
  {
    id: 'http-version-unsupported',
    source: 'S26 streamable-http#protocol-version-header',
    side: 'server',
    behaviour: 'an unsupported version is refused: 400, -32022 with the supported ones',
  },
  {
    id: 'http-method-unknown',
    source: 'S26 streamable-http#protocol-version-header',
    side: 'server',
    behaviour: 'an unknown method is refused: 404, -32601',
  },
  {
    id: 'http-version-missing',
    source: 'S26 streamable-http#protocol-version-header',
    side: 'server',
    behaviour: 'a request without the header is refused by a server that knows no clients from before it',
    notOurs: 'we serve clients from before the header: without it, and without the key in _meta, a request is a legacy one',
  },
] as const satisfies readonly Requirement[];
