import { describe, expect, it } from 'vitest';
import { AppError, messageOf } from './errors.ts';

describe('AppError', () => {
  it('has a code, a public message, and private detail apart', () => {
    const cause = new Error('inner');
    const error = new AppError('code', 'Do this.', { detail: { secret: 1 }, cause });
    expect(error).toBeInstanceOf(Error);
    expect([error.name, error.code, error.message, error.detail, error.cause]).toEqual([
      'AppError',
      'code',
      'Do this.',
      { secret: 1 },
      cause,
    ]);
    expect('cause' in new AppError('code', 'x')).toBe(false);
  });
});

describe('messageOf', () => {
  it.each([
    [new Error('x'), 'x'],
    ['text', 'text'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
    [Symbol('s'), 'Symbol(s)'],
    [Object.create(null), expect.any(String)],
  ])('of %o', (thrown, message) => {
    expect(messageOf(thrown)).toEqual(message);
  });
});
