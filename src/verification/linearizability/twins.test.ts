import { expect, it } from 'vitest'
import { twins } from './twins.ts'

it('twins are inputs that are the same in every part, and plain data only', () => {
  const inputs = [
    { type: 'add', amount: 1n },
    { type: 'add', amount: 1 },
    { type: 'add', amount: 1n },
    { type: 'add', amount: '1' },
    { key: 'a', input: { type: 'pop' } },
    { key: 'a', input: { type: 'pop' } },
    { key: 'a', input: { type: 'pop', extra: undefined } },
    new Map([[1, 2]]),
    new Map([[3, 4]]),
    'x',
    'x',
    0,
    -0,
    ['a'],
    ['a'],
    null,
    undefined,
    null,
    { a: 'b 1 c', d: 'e' },
    { a: 'b', 'c,1 d': 'e' },
  ]
  const none = -1
  expect([...twins(inputs)]).toEqual([
    ...[
      none,
      none,
      0,
      none,
      none,
      4,
      none,
      none,
      none,
      none,
      9,
      none,
      none,
      none,
      none,
      none,
      none,
    ],
    ...[15, none, none],
  ])
})
