import { expect, test } from 'vitest'
import { KnownStates } from './known-states.ts'

test('entities of one kind, however many, push out none of another kind', () => {
  const known = new KnownStates<string>()
  known.set('stock/KIT-1', { version: 3, state: 'kept' })
  for (let n = 0; n < 20_000; n++) known.set(`order/${n}`, { version: 1, state: 'new' })
  expect(known.get('stock/KIT-1')).toEqual({ version: 3, state: 'kept' })
  expect([known.has('order/0'), known.has('order/19999')]).toEqual([false, true])
})

test('what is deleted or cleared is known no more', () => {
  const known = new KnownStates<string>()
  for (const entity of ['stock/A', 'order/B', 'plain']) known.set(entity, { version: 1, state: entity })
  known.delete('stock/A')
  expect([known.has('stock/A'), known.has('order/B'), known.has('plain')]).toEqual([false, true, true])
  known.clear()
  expect(known.get('order/B')).toBe(undefined)
})
