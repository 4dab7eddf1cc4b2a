import { expect, test } from 'vitest'
import { z } from 'zod'
import { testServer } from './server-testing.ts'
import { fieldsAt } from './unknown-names.ts'

test('a field that is misspelt is told with what was meant, however deep it stands', async () => {
  const server = await testServer()
  const headers = { authorization: `Bearer ${await server.token()}` }
  const told = async (payload: object) => {
    const response = await server.app.inject({ method: 'POST', url: '/orders', headers, payload })
    expect(response.statusCode).toBe(422)
    return response.json().errors
  }
  expect(await told({ lines: [{ sku: 'A', quantity: 1, quantiy: 2 }], Order_ID: 'o' })).toEqual([
    { in: 'body', field: 'lines.0.quantiy', message: 'is not a field of this; did you mean quantity?' },
    { in: 'body', field: 'Order_ID', message: 'is not a field of this; did you mean orderId?' },
  ])
  expect(await told({ lines: [{ sku: 'A', quantity: 1 }], colour: 'red' })).toEqual([
    { in: 'body', field: 'colour', message: 'is not a field of this; it takes orderId, note, lines' },
  ])
  await server.app.close()
})

test('fields are found through whatever wraps an object, and of every object that may stand there', () => {
  const leaf = z.strictObject({ amount: z.number() })
  const schema = z
    .strictObject({
      price: leaf.nullable().optional(),
      rules: z.array(
        z.discriminatedUnion('type', [
          z.strictObject({ type: z.literal('a'), one: z.number() }),
          z.strictObject({ type: z.literal('b'), two: leaf.default({ amount: 1 }) }),
        ]),
      ),
      named: z.record(z.string(), leaf),
    })
    .refine(() => true)
    .transform((value) => value)
  expect(fieldsAt(schema, [])).toEqual(['price', 'rules', 'named'])
  expect(fieldsAt(schema, ['price'])).toEqual(['amount'])
  expect(fieldsAt(schema, ['rules', '3'])).toEqual(['type', 'one', 'two'])
  expect(fieldsAt(schema, ['rules', '3', 'two'])).toEqual(['amount'])
  expect(fieldsAt(schema, ['named', 'x'])).toEqual(['amount'])
  expect(fieldsAt(schema, ['price', 'amount'])).toBeUndefined()
  expect(fieldsAt(undefined, ['a'])).toBeUndefined()
})
