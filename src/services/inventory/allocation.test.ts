import fc from 'fast-check'
import { expect, test } from 'vitest'
import { byPriority } from './allocation.ts'

test.each([
  [
    'all from the first that has it all',
    [
      ['a', 5, 0],
      ['b', 5, 0],
    ],
    5,
    [['a', 5]],
  ],
  [
    'the rest from the next',
    [
      ['a', 2, 0],
      ['b', 5, 0],
    ],
    5,
    [
      ['a', 2],
      ['b', 3],
    ],
  ],
  [
    'nothing from a level whose units are reserved',
    [
      ['a', 5, 5],
      ['b', 5, 0],
    ],
    2,
    [['b', 2]],
  ],
  ['less than asked for when there is less', [['a', 1, 0]], 5, [['a', 1]]],
] as const)('takes %s', (_, levels, quantity, expected) => {
  const shelves = levels.map(([warehouseId, onHand, reserved]) => ({ warehouseId, onHand, reserved }))
  expect(byPriority(shelves, quantity).map((one) => [one.warehouseId, one.quantity])).toEqual(expected)
})

test('takes exactly what is asked for, or all there is', () => {
  const level = fc.nat(9).chain((onHand) => fc.record({ onHand: fc.constant(onHand), reserved: fc.nat(onHand) }))
  fc.assert(
    fc.property(fc.array(level), fc.integer({ min: 1, max: 30 }), (levels, quantity) => {
      const shelves = levels.map((one, n) => ({ warehouseId: `w${n}`, ...one }))
      const there = levels.reduce((sum, one) => sum + one.onHand - one.reserved, 0)
      const taken = byPriority(shelves, quantity).reduce((sum, one) => sum + one.quantity, 0)
      expect(taken).toBe(Math.min(there, quantity))
    }),
  )
})
