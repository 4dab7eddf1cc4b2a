import { expect, test } from 'vitest'
import { z } from 'zod'
import { correlationOf, flagQuery, pageOf, placeIn } from './http.ts'

test('a page of a full list leads to the next, and the last one does not', () => {
  const page = pageOf([1, 2, 3], 2, (last) => ({ last }))
  expect(page.items).toEqual([1, 2])
  expect(placeIn(page.next, z.object({ last: z.number() }))).toEqual({ last: 2 })
  expect(pageOf([1, 2], 2, (last) => last)).toEqual({ items: [1, 2] })
})

test.each(['nonsense', 'bnVsbA', '%%%', 'W10'])('the cursor %j of somebody else is refused by name', (cursor) => {
  expect(() => placeIn(cursor, z.int())).toThrow('cursor')
})

test('a correlation id is taken from its header, else from a valid traceparent, else it is the request id', () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736'
  const traceparent = `00-${trace}-00f067aa0ba902b7-01`
  expect(correlationOf({ 'x-correlation-id': 'order-7', traceparent }, 'r')).toBe('order-7')
  expect(correlationOf({ traceparent }, 'r')).toBe(trace)
  expect(correlationOf({ 'x-correlation-id': 'evil\r\nheader', traceparent: 'junk' }, 'r')).toBe('r')
  expect(correlationOf({ traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` }, 'r')).toBe('r')
})

test('a flag in a query knows that "false" is not true', () => {
  expect(flagQuery.parse('false')).toBe(false)
  expect(flagQuery.parse('1')).toBe(true)
  expect(flagQuery.safeParse('yes').success).toBe(false)
})
