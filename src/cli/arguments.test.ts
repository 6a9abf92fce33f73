import { describe, expect, it } from 'vitest';
import { callArguments } from './arguments.ts';

const schema = {
  properties: {
    symbol: { type: 'string' },
    symbols: { type: 'array', items: { type: 'string' } },
    limit: { type: 'integer' },
    ids: { type: 'array', items: { type: 'integer' } },
    live: { type: 'boolean' },
    filters: { type: 'array', items: { type: 'object' } },
    cursor: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    body: { type: 'object' },
  },
};

describe('callArguments', () => {
  it.each([
    [['symbol=AAPL'], { symbol: 'AAPL' }],
    [['symbol=7'], { symbol: '7' }],
    [['symbol=a=b'], { symbol: 'a=b' }],
    [['symbols=AAPL, MSFT'], { symbols: ['AAPL', 'MSFT'] }],
    [['symbols=AAPL', 'symbols=MSFT'], { symbols: ['AAPL', 'MSFT'] }],
    [['symbols=["A,B"]'], { symbols: ['A,B'] }],
    [['symbols='], { symbols: [] }],
    [['limit=5'], { limit: 5 }],
    [['limit=five'], { limit: 'five' }],
    [['ids=1,2'], { ids: [1, 2] }],
    [['live=true'], { live: true }],
    [['live=yes'], { live: 'yes' }],
    [['filters=[{"field":"price"}]'], { filters: [{ field: 'price' }] }],
    [['body={"a":1}'], { body: { a: 1 } }],
    [['cursor=null'], { cursor: null }],
    [['unknown=1'], { unknown: '1' }],
  ])('%j', (pairs, expected) => {
    expect(callArguments(undefined, pairs, schema)).toEqual(expected);
  });

  it('starts from --args', () => {
    expect(callArguments('{"symbol":"A","limit":1}', ['limit=2'], schema)).toEqual({ symbol: 'A', limit: 2 });
  });

  it.each([
    ['{bad', [], '--args is not valid JSON'],
    ['[1]', [], '--args must be a JSON object'],
    [undefined, ['symbol'], '--arg wants key=value'],
    [undefined, ['=x'], '--arg wants key=value'],
    [undefined, ['filters=[{'], '--arg filters is not valid JSON'],
  ])('refuses %j %j', (args, pairs, message) => {
    expect(() => callArguments(args, pairs, schema)).toThrow(message);
  });

  it('does not touch prototypes', () => {
    const result = callArguments('{"__proto__":{"x":1}}', ['constructor=a'], schema);
    expect(Object.keys(result)).toEqual(['__proto__', 'constructor']);
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });
});
