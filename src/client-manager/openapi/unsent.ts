import { AppError } from '../../shared/index.ts';

/** Errors of a request of which not one byte left, in public words. */
const UNSENT: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection was refused',
  ENOTFOUND: 'its host name was not found',
  EAI_AGAIN: 'its host name could not be looked up',
  EHOSTUNREACH: 'its host cannot be reached',
  ENETUNREACH: 'its network cannot be reached',
  UND_ERR_CONNECT_TIMEOUT: 'connecting took too long',
  UND_ERR_INVALID_ARG: 'its url or headers in the configuration are not valid HTTP',
  UND_ERR_DESTROYED: 'its connections are being closed',
  UND_ERR_CLOSED: 'its connections are being closed',
};
/** Errors with which we refuse the server's certificate, before anything is written. */
const CERTIFICATE = /^(CERT_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT|UNABLE_TO_|ERR_TLS_CERT_ALTNAME_INVALID$)/;

/** Refusals of our own guard, before anything is sent. */
const GUARD: ReadonlySet<string> = new Set(['address_refused', 'url_invalid']);

function reasonOf(error: unknown): string | undefined {
  if (error instanceof AppError && GUARD.has(error.code)) return error.message.replace(/\.$/, '');
  const code = error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? '') : '';
  if (Object.hasOwn(UNSENT, code)) return UNSENT[code];
  return CERTIFICATE.test(code) ? `its TLS certificate was not accepted (${code})` : undefined;
}

/** Why a request never left, where the error says that it did not; undefined if it may have. */
export function unsentReason(error: unknown): string | undefined {
  if (!(error instanceof AggregateError) || error.errors.length === 0) return reasonOf(error);
  const reasons = (error.errors as unknown[]).map(reasonOf);
  return reasons.includes(undefined) ? undefined : reasons[0];
}
