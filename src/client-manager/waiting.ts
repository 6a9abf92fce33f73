/** The promise's value, or `late` after `ms`, or `canceled` by the signal. The promise must not reject. */
export async function settledWithin<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T | 'late' | 'canceled'> {
  if (signal.aborted) return 'canceled';
  const early = Promise.withResolvers<'late' | 'canceled'>();
  const timer = setTimeout(() => early.resolve('late'), Math.max(0, ms));
  const onAbort = (): void => early.resolve('canceled');
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, early.promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
  }
}
