import type { Authenticator } from './principal.ts';

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Who calls the StockPulse API, or the refusal in that API's terms: `code` is Alpaca's, `headers` go with the answer. */
export type ApiCaller =
  | { readonly ok: true; readonly id: string; readonly scopes: ReadonlySet<string> }
  | {
      readonly ok: false;
      readonly status: 401 | 403;
      readonly code: number;
      readonly message: string;
      readonly headers: Record<string, string>;
    };

const UNAUTHORIZED = 40110000;

/** Reads `Authorization: Bearer`, or the secret of the pair `APCA-API-KEY-ID` and `APCA-API-SECRET-KEY` that Alpaca's clients send. */
export function apiCaller(authenticator: Authenticator, headers: Headers): ApiCaller {
  const secret = headers['apca-api-secret-key'];
  const authorization = typeof secret === 'string' ? `Bearer ${secret}` : headers.authorization;
  const who = authenticator.authenticate(typeof authorization === 'string' ? authorization : undefined);
  if (who.ok) return { ok: true, id: who.principal.id, scopes: who.principal.scopes };
  const { status, message } = who;
  return { ok: false, status, code: UNAUTHORIZED, message, headers: { 'www-authenticate': 'Bearer realm="StockPulse"' } };
}
