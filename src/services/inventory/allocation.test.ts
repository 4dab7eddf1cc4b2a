import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { allocated, type StrategyName, sellable, strategies } from './allocation.ts'

const shelf = (warehouseId: string, onHand: number, reserved = 0) => ({ warehouseId, onHand, reserved })
const abc = [shelf('a', 2), shelf('b', 5), shelf('c', 9, 1)]

test.each<[StrategyName, string, typeof abc, number, [string, number][]]>([
  ['priority', 'all from the first that has it all', abc, 2, [['a', 2]]],
  // biome-ignore format: a table
  ['priority', 'the rest from the next', abc, 5, [['a', 2], ['b', 3]]],
  ['priority', 'nothing from a level whose units are reserved', [shelf('a', 5, 5), shelf('b', 5)], 2, [['b', 2]]],
  ['priority', 'less than asked for when there is less', [shelf('a', 1)], 5, [['a', 1]]],
  ['most-stock', 'from the fullest, reserved units left out', abc, 5, [['c', 5]]],
  // biome-ignore format: a table
  ['most-stock', 'the rest from the next fullest', abc, 10, [['c', 8], ['b', 2]]],
  ['most-stock', 'from the preferred of equals', [shelf('a', 5), shelf('b', 5)], 3, [['a', 3]]],
  ['fewest-splits', 'all from the preferred that has it all', abc, 4, [['b', 4]]],
  // biome-ignore format: a table
  ['fewest-splits', 'the rest from the preferred that has the rest', abc, 10, [['c', 8], ['a', 2]]],
  // biome-ignore format: a table
  ['fewest-splits', 'less than asked for when there is less', abc, 99, [['c', 8], ['b', 5], ['a', 2]]],
])('%s takes %s', (name, _, levels, quantity, expected) => {
  expect(strategies[name](levels, quantity).map((one) => [one.warehouseId, one.quantity])).toEqual(expected)
})

const level = fc
  .nat(9)
  .chain((onHand) => fc.record({ onHand: fc.constant(onHand), reserved: fc.nat(onHand), safetyStock: fc.nat(3) }))
const shelves = fc.array(level, { maxLength: 7 }).map((all) => all.map((one, n) => ({ warehouseId: `w${n}`, ...one })))
const asked = fc.integer({ min: 1, max: 40 })
const has = sellable

describe.each(Object.entries(strategies))('%s', (_, take) => {
  test('takes exactly what is asked for or all there is, from each warehouse once and never more than it has', () => {
    fc.assert(
      fc.property(shelves, asked, (levels, quantity) => {
        const taken = take(levels, quantity)
        const there = levels.reduce((sum, one) => sum + has(one), 0)
        expect(taken.reduce((sum, one) => sum + one.quantity, 0)).toBe(Math.min(there, quantity))
        expect(new Set(taken.map((one) => one.warehouseId)).size).toBe(taken.length)
        for (const one of taken) {
          expect(one.quantity).toBeGreaterThan(0)
          const from = levels.find((found) => found.warehouseId === one.warehouseId)
          expect(one.quantity).toBeLessThanOrEqual(from ? has(from) : 0)
        }
      }),
    )
  })
})

test.each(
  Object.values(strategies),
)('what is there goes before what is not, and no warehouse promises more than it may', (take) => {
  const promising = fc
    .record({ onHand: fc.nat(9), held: fc.nat(9), safetyStock: fc.nat(3), backorderLimit: fc.nat(5) })
    .map(({ held, ...one }) => ({ ...one, reserved: Math.min(held, one.onHand + one.backorderLimit) }))
  const all = fc
    .array(promising, { maxLength: 6 })
    .map((some) => some.map((one, n) => ({ warehouseId: `w${n}`, ...one })))
  fc.assert(
    fc.property(all, asked, (levels, quantity) => {
      const taken = allocated(take, levels, quantity)
      const sum = (numbers: number[]) => numbers.reduce((total, number) => total + number, 0)
      const there = (one: (typeof levels)[number]) => Math.max(0, one.onHand - one.reserved - one.safetyStock)
      const given = (id: string) => taken.find((one) => one.warehouseId === id)?.quantity ?? 0
      expect(sum(taken.map((one) => one.quantity))).toBe(Math.min(quantity, sum(levels.map(sellable))))
      expect(new Set(taken.map((one) => one.warehouseId)).size).toBe(taken.length)
      for (const level of levels) expect(given(level.warehouseId)).toBeLessThanOrEqual(sellable(level))
      if (levels.some((level) => given(level.warehouseId) > there(level)))
        for (const level of levels) expect(given(level.warehouseId)).toBeGreaterThanOrEqual(there(level))
    }),
  )
})

test('fewest-splits uses no more warehouses than any set of them that has enough', () => {
  fc.assert(
    fc.property(shelves, asked, (levels, quantity) => {
      const sets = Array.from({ length: 2 ** levels.length }, (_, bits) => levels.filter((_, n) => bits & (2 ** n)))
      const enough = sets.filter((set) => set.reduce((sum, one) => sum + has(one), 0) >= quantity)
      if (enough.length === 0) return
      expect(strategies['fewest-splits'](levels, quantity)).toHaveLength(Math.min(...enough.map((set) => set.length)))
    }),
  )
})
