import { expect, test } from 'vitest'
import { KnownStates } from './known-states.ts'

test('entities of one kind, however many, push out none of another kind', () => {
  const known = new KnownStates<string>()
  known.set('stock/KIT-1', { version: 3, state: 'kept' })
  for (let n = 0; n < 20_000; n++) known.set(`order/${n}`, { version: 1, state: 'new' })
  expect(known.get('stock/KIT-1')).toEqual({ version: 3, state: 'kept' })
  expect([known.has('order/0'), known.has('order/19999')]).toEqual([false, true])
})

test('large states push out those of before, so that they never take more memory than small ones', () => {
  const known = new KnownStates<{ title: string; variants: { about: string }[] }>()
  const large = { title: 'Lamp', variants: Array.from({ length: 10 }, () => ({ about: 'warm '.repeat(10_000) })) }
  for (let n = 0; n < 20; n++) known.set(`product/${n}`, { version: 1, state: large })
  const kept = Array.from({ length: 20 }, (_, n) => n).filter((n) => known.has(`product/${n}`))
  expect(kept).toEqual([13, 14, 15, 16, 17, 18, 19])
  known.set('product/vast', { version: 1, state: { title: 'x'.repeat(5_000_000), variants: [] } })
  expect(known.has('product/vast')).toBe(false)
})

test('what is deleted or cleared is known no more', () => {
  const known = new KnownStates<string>()
  for (const entity of ['stock/A', 'order/B', 'plain']) known.set(entity, { version: 1, state: entity })
  known.delete('stock/A')
  expect([known.has('stock/A'), known.has('order/B'), known.has('plain')]).toEqual([false, true, true])
  known.clear()
  expect(known.get('order/B')).toBe(undefined)
})
