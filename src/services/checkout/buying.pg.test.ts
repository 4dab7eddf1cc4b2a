import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { sellingBeside } from '../../../test/selling.ts'
import { sellingFrom } from '../../app/selling.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import type { InventoryService } from '../inventory/service.ts'
import { Buying } from './buying.ts'
import type { CheckoutState } from './decider.ts'
import type { Selling, Subject } from './ports.ts'
import { checkoutService } from './service.ts'
import { checkoutSource } from './store.ts'

let engine: TestEngine
let buying: Buying
let inventory: InventoryService
let selling: Selling

beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(url, (to) => {
    const source = checkoutSource()
    const { services, stock, joint } = sellingBeside(to, [source])
    const [, stocked, orders] = services
    inventory = stocked
    selling = sellingFrom({ stock, inventory, orders, ttlSeconds: 900 })
    buying = new Buying({ joint, source })
    const nobody = async () => ({ outcome: 'declined', reason: 'nobody is asked' }) as const
    const paying = { authorise: nobody, capture: nobody, void: nobody, refund: nobody }
    const quote = async () => ({ currency: 'EUR', lines: [], total: 0 })
    return [...services, checkoutService(to, { joint, source, selling, paying, quote })]
  })
  engine = made.engine
  await inventory.execute({ type: 'set-initial', sku: 'KIT', productId: 'kit', warehouseId: 'main', quantity: 10 })
})
afterAll(() => engine.close())

const refusal = { code: 'payment-unclear', message: 'no answer', detail: {} }
const by = { actor: 'checkout' }

async function reserved(id: string): Promise<Subject> {
  const lines = [{ sku: 'KIT', quantity: 2, unitPrice: 500 }]
  const subject = { id, customerId: null, lines, total: 1_000, currency: 'EUR', token: 'tok_visa', correlationId: id }
  await buying.start({ type: 'start', cartId: null, ...subject }, by)
  const held = { ...subject, reservationId: id, payment: '' }
  await buying.report([{ type: 'done', id, step: 'reserve', results: {} }], await selling.reserve(held), by)
  return held
}
const stockOf = async () => {
  const [level] = await engine.db`select on_hand, reserved from inventory.levels where sku = 'KIT'`
  return level
}

test('who was overtaken sells nothing: what came with a report of another step’s turn is not done', async () => {
  const subject = await reserved('overtaken')
  await buying.report([{ type: 'failed', id: 'overtaken', step: 'authorise', refusal }], [], by)
  const late = [
    { type: 'done', id: 'overtaken', step: 'authorise', results: { payment: 'pay_1' } },
    { type: 'done', id: 'overtaken', step: 'confirm', results: {} },
  ] as const
  await expect(buying.report(late, await selling.confirmOrder(subject), by)).rejects.toMatchObject({ code: 'stale' })
  expect(await engine.db`select id from orders.orders`).toEqual([])
  expect(await stockOf()).toEqual({ on_hand: 10, reserved: 2 })
})

test('a step and what it changes are one transaction: a refusal leaves the checkout where it was', async () => {
  const short = { ...(await reserved('short')), id: 'short', lines: [{ sku: 'KIT', quantity: 9, unitPrice: 500 }] }
  const report = [
    { type: 'done', id: 'short', step: 'authorise', results: { payment: 'pay_2' } },
    { type: 'done', id: 'short', step: 'confirm', results: {} },
  ] as const
  await expect(buying.report(report, await selling.confirmOrder(short), by)).rejects.toMatchObject({
    code: 'reservation-mismatch',
  })
  const [row] = await engine.db<{ version: number; state: string }>`
    select version, state from checkout.checkouts where id = 'short'`
  const { checkout, subject } = JSON.parse(row?.state ?? '{}') as CheckoutState
  expect([row?.version, ...checkout.steps.map(({ status }) => status), subject.payment]).toEqual([
    2,
    'done',
    'pending',
    'pending',
    'pending',
    '',
  ])
})

test('both steps are told in one go, and their events follow what they changed', async () => {
  const subject = await reserved('whole')
  const { checkout } = await buying.report(
    [
      { type: 'done', id: 'whole', step: 'authorise', results: { payment: 'pay_3' } },
      { type: 'done', id: 'whole', step: 'confirm', results: {} },
    ],
    await selling.confirmOrder(subject),
    by,
  )
  expect(checkout.steps.map(({ status }) => status)).toEqual(['done', 'done', 'done', 'pending'])
  const events = await engine.db<{ type: string; step: string | null }>`
    select type, data ->> 'step' as step from lockstep.events order by position desc limit 4`
  expect(events.reverse().map(({ type, step }) => [type, step])).toEqual([
    ['checkout.step.done', 'authorise'],
    ['stock.updated', null],
    ['order.created', null],
    ['checkout.step.done', 'confirm'],
  ])
})
