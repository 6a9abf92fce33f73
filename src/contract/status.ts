import { z } from 'zod';

/** What the running process says of itself. */
export const statusReply = z.object({
  version: z.string(),
  pid: z.number().int(),
  node: z.string(),
  url: z.string().nullable().describe('Null while only the local socket is served'),
  startedAt: z.string().describe('RFC 3339, UTC'),
  uptimeSeconds: z.number(),
  storage: z.enum(['pglite', 'postgres']),
  dataDir: z.string(),
  servers: z.object({ total: z.number().int(), ready: z.number().int() }),
  sessions: z.number().int(),
  callsInFlight: z.number().int(),
  limits: z
    .array(z.object({ name: z.string(), size: z.number(), cap: z.number(), refused: z.number() }))
    .describe('Every bounded collection'),
  config: z.object({ file: z.string().nullable().describe('Null where none was read') }),
  warnings: z.array(z.string()).describe('What is not as it should be, such as a configuration that changed since the start'),
});

/** One finding of `doctor`; `advice` says what to do unless all is well. */
export const doctorCheck = z.object({
  name: z.string(),
  status: z.enum(['ok', 'warning', 'failed']),
  message: z.string(),
  advice: z.string().optional(),
});

export const doctorReply = z.object({ ok: z.boolean(), checks: z.array(doctorCheck) });

export type StatusReply = z.infer<typeof statusReply>;
export type DoctorCheck = z.infer<typeof doctorCheck>;
export type DoctorReply = z.infer<typeof doctorReply>;
