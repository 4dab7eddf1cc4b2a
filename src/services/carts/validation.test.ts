import { expect, test } from 'vitest'
import type { CartLine, Notice } from './events.ts'
import { acknowledged, type Goods, marked } from './validation.ts'

const eur = (amount: number) => ({ amount, currency: 'EUR' })
const line: CartLine = { sku: 'A', quantity: 3, price: eur(1000), notices: [] }
const goods: Goods = { sku: 'A', live: true, available: 9, price: eur(1000) }
const none: Notice[] = []

test.each([
  ['enough at the same price', goods, none],
  ['exactly enough', { ...goods, available: 3 }, none],
  ['too few', { ...goods, available: 2 }, [{ kind: 'only-left', left: 2 }]],
  ['none', { ...goods, available: 0 }, [{ kind: 'out-of-stock' }]],
  ['fewer than none', { ...goods, available: -4 }, [{ kind: 'out-of-stock' }]],
  ['another price', { ...goods, price: eur(900) }, [{ kind: 'price-changed', from: eur(1000), to: eur(900) }]],
  ['another currency', { ...goods, price: { amount: 1000, currency: 'USD' } }, [{ kind: 'price-changed' }]],
  ['no price any more', { ...goods, price: null }, none],
  ['both', { ...goods, available: 1, price: eur(1) }, [{ kind: 'only-left', left: 1 }, { kind: 'price-changed' }]],
  ['not for sale, whatever else', { ...goods, live: false, available: 0, price: eur(1) }, [{ kind: 'no-longer-sold' }]],
  ['nothing known', undefined, [{ kind: 'no-longer-sold' }]],
] as [string, Goods | undefined, Partial<Notice>[]][])('%s: the line says so', (_, now, notices) => {
  const told = marked(line, now).notices
  expect(told).toHaveLength(notices.length)
  expect(told).toMatchObject(notices.map((notice) => ({ ...notice, acknowledged: false })))
})

test('a line whose price nobody knew is told of none', () => {
  expect(marked({ ...line, price: null }, goods).notices).toEqual([])
})

test('what was acknowledged stays so while it says the same, and is new again when it does not', () => {
  const seen = acknowledged(line, { ...goods, available: 2 })
  expect(seen.notices).toEqual([{ kind: 'only-left', left: 2, acknowledged: true }])
  expect(marked(seen, { ...goods, available: 2 }).notices).toEqual(seen.notices)
  expect(marked(seen, { ...goods, available: 1 }).notices).toEqual([
    { kind: 'only-left', left: 1, acknowledged: false },
  ])
})

test('an acknowledged price is the line’s, and is told of no more', () => {
  const seen = acknowledged(line, { ...goods, price: eur(900) })
  expect(seen).toEqual({ ...line, price: eur(900) })
  expect(marked(seen, goods).notices).toMatchObject([{ kind: 'price-changed', from: eur(900), to: eur(1000) }])
})
