import { AppError } from './errors.ts';

/** The longest wait that a timer knows; a longer one would fire at once. */
const LONGEST = 2 ** 31 - 1;

/** Resolves after `ms`, or rejects with the signal's reason. The timer does not keep the process alive. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason as Error);
      return;
    }
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(
      () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      },
      Math.min(ms, LONGEST),
    );
    timer.unref();
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** The promise's outcome, or an AppError `deadline_exceeded` that names `what` after `ms`. The work itself is not stopped: abort it too. */
export async function withDeadline<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const expired = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new AppError('deadline_exceeded', `${what} took longer than ${ms} ms.`)), Math.min(ms, LONGEST));
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}
