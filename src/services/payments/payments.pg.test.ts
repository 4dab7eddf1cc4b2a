import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { paymentOf } from './providers/book.ts'
import { type PaymentsService, paymentsService } from './service.ts'

let engine: TestEngine
let payments: PaymentsService
/** A second process on the same database. */
let other: TestEngine
let elsewhere: PaymentsService

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const settings = { deadlineMs: 1_000, slowMs: 10_000 }
  const made = await testEngine(url, (to) => [paymentsService(to, settings)] as const)
  const second = await testEngine(url, (to) => [paymentsService(to, settings)] as const)
  engine = made.engine
  payments = made.services[0]
  other = second.engine
  elsewhere = second.services[0]
})
afterAll(async () => {
  const wrong = await engine.db`
    select b.id
    from   payments.book b
    where  b.authorised <> (select coalesce(sum(amount) filter (where operation = 'authorise'), 0) from payments.movements m where m.payment = b.id)
    or     b.captured   <> (select coalesce(sum(amount) filter (where operation = 'capture'), 0) from payments.movements m where m.payment = b.id)
    or     b.refunded   <> (select coalesce(sum(amount) filter (where operation = 'refund'), 0) from payments.movements m where m.payment = b.id)`
  expect(wrong).toEqual([])
  await engine.close()
  await other.close()
})

let made = 0
const money = { amount: 1999, currency: 'EUR' }
const authorise = (token: string, key = `k${++made}`) => payments.authorise({ key, token, ...money })
const bookOf = async (payment: string) =>
  (await engine.db`select authorised, captured, refunded, voided from payments.book where id = ${payment}`).map(
    (row) => ({ ...row }),
  )[0]

test('what was set aside is taken once and given back once, however often it is asked', async () => {
  const authorised = await authorise('tok_visa')
  if (authorised.outcome !== 'approved') throw new Error('not approved')
  const { payment } = authorised
  expect(authorised).toEqual({ outcome: 'approved', payment, ...money })
  for (let n = 0; n < 2; n++) {
    expect(await payments.capture({ key: `${payment}/c`, payment, ...money })).toEqual({
      outcome: 'approved',
      payment,
      ...money,
    })
  }
  expect(await payments.capture({ key: `${payment}/c2`, payment, ...money })).toEqual({
    outcome: 'declined',
    reason: 'captured',
  })
  expect(await payments.void({ key: `${payment}/v`, payment })).toEqual({ outcome: 'declined', reason: 'captured' })
  for (let n = 0; n < 2; n++)
    expect(await payments.refund({ key: `${payment}/r`, payment })).toMatchObject({ outcome: 'approved', amount: 1999 })
  expect(await bookOf(payment)).toEqual({ authorised: 1999, captured: 1999, refunded: 1999, voided: false })
})

test('part of it can be given back, never more than was taken', async () => {
  const authorised = await authorise('tok_visa')
  if (authorised.outcome !== 'approved') throw new Error('not approved')
  const { payment } = authorised
  await payments.capture({ key: `${payment}/c`, payment, ...money })
  expect(await payments.refund({ key: `${payment}/1`, payment, amount: 999, currency: 'EUR' })).toMatchObject({
    outcome: 'approved',
  })
  expect(await payments.refund({ key: `${payment}/2`, payment, amount: 1001, currency: 'EUR' })).toEqual({
    outcome: 'declined',
    reason: 'exceeds-capture',
  })
  expect(await payments.refund({ key: `${payment}/3`, payment, amount: 1, currency: 'USD' })).toEqual({
    outcome: 'declined',
    reason: 'other-currency',
  })
  expect(await payments.refund({ key: `${payment}/4`, payment })).toMatchObject({ outcome: 'approved', amount: 1000 })
})

test('nothing is taken of what was given up', async () => {
  const authorised = await authorise('tok_visa')
  if (authorised.outcome !== 'approved') throw new Error('not approved')
  const { payment } = authorised
  expect(await payments.void({ key: `${payment}/v`, payment })).toMatchObject({ outcome: 'approved' })
  expect(await payments.capture({ key: `${payment}/c`, payment, ...money })).toEqual({
    outcome: 'declined',
    reason: 'voided',
  })
})

test('a declined card stays declined under its key, and holds nothing', async () => {
  expect(await authorise('tok_decline', 'declined')).toEqual({ outcome: 'declined', reason: 'card-declined' })
  expect(await authorise('tok_decline', 'declined')).toEqual({ outcome: 'declined', reason: 'card-declined' })
  expect(await bookOf(paymentOf('declined'))).toMatchObject({ authorised: 0 })
})

test('one key with another amount is an error, and sets nothing more aside', async () => {
  await authorise('tok_visa', 'same')
  const other = await payments.authorise({ key: 'same', token: 'tok_visa', amount: 1, currency: 'EUR' })
  expect(other).toMatchObject({ outcome: 'unknown', reason: expect.stringContaining('another body') })
  expect(await bookOf(paymentOf('same'))).toMatchObject({ authorised: 1999 })
})

test('two processes that ask under one key at once set the amount aside once', async () => {
  const both = await Promise.all(
    [payments, elsewhere, payments, elsewhere].map((one) =>
      one.authorise({ key: 'both', token: 'tok_visa', ...money }),
    ),
  )
  expect(new Set(both.map((outcome) => JSON.stringify(outcome))).size).toBe(1)
  const rows = await engine.db`select n from payments.movements where payment = ${paymentOf('both')}`
  expect(rows).toHaveLength(1)
})

test.each([
  ['tok_timeout', 1999],
  ['tok_lost', 0],
])('%s leaves it unknown, and asking again tells', async (token, held) => {
  const key = `k${++made}`
  expect(await authorise(token, key)).toMatchObject({ outcome: 'unknown' })
  expect((await bookOf(paymentOf(key)))?.authorised ?? 0).toBe(held)
  expect(await authorise(token, key)).toMatchObject({ outcome: 'approved' })
  expect(await bookOf(paymentOf(key))).toMatchObject({ authorised: 1999 })
})

test('one that is slower than the deadline is unknown', async () => {
  expect(await authorise('tok_slow')).toMatchObject({ outcome: 'unknown' })
})

test.each(['tok_lie', 'tok_foreign'])('%s is found out: it approved something else', async (token) => {
  expect(await authorise(token)).toMatchObject({ outcome: 'wrong' })
})

test('one that handles a request twice sets the amount aside once', async () => {
  expect(await authorise('tok_twice', 'twice')).toMatchObject({ outcome: 'approved' })
  expect(await engine.db`select n from payments.movements where payment = ${paymentOf('twice')}`).toHaveLength(1)
})

test.each([
  ['tok_forget_capture', 0],
  ['tok_deny_capture', 1999],
])('%s approves, and finds nothing at capture', async (token, captured) => {
  const authorised = await authorise(token)
  if (authorised.outcome !== 'approved') throw new Error('not approved')
  const { payment } = authorised
  expect(await payments.capture({ key: `${payment}/c`, payment, ...money })).toEqual({
    outcome: 'declined',
    reason: 'not-found',
  })
  expect(await bookOf(payment)).toMatchObject({ authorised: 1999, captured })
})
