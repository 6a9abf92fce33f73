import { z } from 'zod';
import { createKeyRequest, keyList, keyWithSecret, revokedKey, rotatedKey, rotateKeyRequest } from './keys.ts';
import { acceptReply, acceptRequest, serverDetail, serverList, serverTest, serverView } from './servers.ts';
import { doctorReply, statusReply } from './status.ts';
import { callToolAnswer, callToolRequest, toolList, toolsQuery } from './tools.ts';

/** Everything that a client and the server must agree on about one route of the management API. */
export interface AdminRoute<
  Params extends z.ZodType = z.ZodType,
  Query extends z.ZodType = z.ZodType,
  Body extends z.ZodType = z.ZodType,
  Reply extends z.ZodType = z.ZodType,
> {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** Below `ADMIN_PREFIX`; `:name` marks a member of `params`. */
  readonly path: string;
  readonly summary: string;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly reply: Reply;
  readonly status: 200 | 201;
}

export const ADMIN_PREFIX = '/admin/v1';
/** Carries an approver key beside the caller's own credential, for what only an approver may do. */
export const APPROVER_HEADER = 'x-stockpulse-approver';

const none = z.strictObject({});
const noBody = z.strictObject({}).optional();
const keyParams = z.strictObject({ id: z.string().min(1).max(64) });
const serverParams = z.strictObject({ name: z.string().regex(/^[a-z0-9-]{1,64}$/, 'A server name is made of a-z, 0-9 and -.') });

const route = <P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType>(
  spec: AdminRoute<P, Q, B, R>,
): AdminRoute<P, Q, B, R> => Object.freeze(spec);

/** The management API. Routes and clients are both made from this table, so that they cannot drift. */
export const adminRoutes = Object.freeze({
  getStatus: route({
    method: 'GET',
    path: '/status',
    summary: 'What the running process says of itself',
    params: none,
    query: none,
    body: noBody,
    reply: statusReply,
    status: 200,
  }),
  listKeys: route({
    method: 'GET',
    path: '/keys',
    summary: 'All API keys, the newest first, ended ones too',
    params: none,
    query: none,
    body: noBody,
    reply: keyList,
    status: 200,
  }),
  createKey: route({
    method: 'POST',
    path: '/keys',
    summary: 'Make an API key; the scope approve needs an approver key',
    params: none,
    query: none,
    body: createKeyRequest,
    reply: keyWithSecret,
    status: 201,
  }),
  rotateKey: route({
    method: 'POST',
    path: '/keys/:id/rotate',
    summary: 'Give a key a new secret; the old one works until the overlap ends',
    params: keyParams,
    query: none,
    body: rotateKeyRequest.prefault({}),
    reply: rotatedKey,
    status: 201,
  }),
  revokeKey: route({
    method: 'DELETE',
    path: '/keys/:id',
    summary: 'End a key at once',
    params: keyParams,
    query: none,
    body: noBody,
    reply: revokedKey,
    status: 200,
  }),
  listServers: route({
    method: 'GET',
    path: '/servers',
    summary: 'Every server of the catalogue and how it is',
    params: none,
    query: none,
    body: noBody,
    reply: serverList,
    status: 200,
  }),
  getServer: route({
    method: 'GET',
    path: '/servers/:name',
    summary: 'One server in full',
    params: serverParams,
    query: none,
    body: noBody,
    reply: serverDetail,
    status: 200,
  }),
  restartServer: route({
    method: 'POST',
    path: '/servers/:name/restart',
    summary: 'End the connection to an upstream and connect again',
    params: serverParams,
    query: none,
    body: noBody,
    reply: serverView,
    status: 200,
  }),
  acceptTools: route({
    method: 'POST',
    path: '/servers/:name/accept',
    summary: 'Accept the definitions of tools as the server shows them now',
    params: serverParams,
    query: none,
    body: acceptRequest,
    reply: acceptReply,
    status: 200,
  }),
  testServer: route({
    method: 'POST',
    path: '/servers/:name/test',
    summary: 'Connect to an upstream once, apart from the running connection, and say what was found',
    params: serverParams,
    query: none,
    body: noBody,
    reply: serverTest,
    status: 200,
  }),
  listTools: route({
    method: 'GET',
    path: '/tools',
    summary: 'The tools of one endpoint',
    params: none,
    query: toolsQuery,
    body: noBody,
    reply: toolList,
    status: 200,
  }),
  callTool: route({
    method: 'POST',
    path: '/tools/call',
    summary: 'Call a tool through the same pipeline as any client',
    params: none,
    query: none,
    body: callToolRequest,
    reply: callToolAnswer,
    status: 200,
  }),
  runDoctor: route({
    method: 'GET',
    path: '/doctor',
    summary: 'Check everything and say what to do',
    params: none,
    query: none,
    body: noBody,
    reply: doctorReply,
    status: 200,
  }),
});

export type AdminRouteName = keyof typeof adminRoutes;
export type ParamsOf<R extends AdminRoute> = z.output<R['params']>;
export type QueryOf<R extends AdminRoute> = z.output<R['query']>;
export type BodyOf<R extends AdminRoute> = z.output<R['body']>;
/** What a handler returns and a client reads. */
export type ReplyOf<R extends AdminRoute> = z.output<R['reply']>;

/** What a client sends: defaults may be left out. */
export interface AdminRequest<R extends AdminRoute> {
  readonly params?: z.input<R['params']>;
  readonly query?: z.input<R['query']>;
  readonly body?: z.input<R['body']>;
}
