import { expect, test } from 'vitest'
import { specification } from '../../engine/decider-testing.ts'
import {
  begun,
  type CheckoutCommand,
  type CheckoutState,
  checkoutDecider,
  checkoutDefaults,
  checkoutEntity,
  currentStep,
  reservationOf,
} from './decider.ts'
import type { Checkout, StepName } from './events.ts'
import { saga } from './saga.ts'

const checkout = specification(checkoutDecider(checkoutDefaults))
const start = {
  type: 'start',
  id: 'c1',
  cartId: 'cart-1',
  customerId: null,
  lines: [{ sku: 'KIT-1', quantity: 2, unitPrice: 1000 }],
  total: 2000,
  currency: 'EUR',
  token: 'tok_visa',
  correlationId: 'r1',
} as const satisfies CheckoutCommand
const refusal = { code: 'payment-declined', message: 'the payment was declined', detail: { reason: 'card-declined' } }

/** What the commands make of a new checkout: its event types, and its last state. */
function after(...commands: CheckoutCommand[]) {
  let outcome = checkout.given().when(start)
  const types = outcome.events.map((event) => event.type)
  for (const command of commands) {
    outcome = outcome.when(command)
    types.push(...outcome.events.map((event) => event.type))
  }
  const state = outcome.states.get(checkoutEntity('c1'))?.state as CheckoutState
  return { types, state, outcome, statuses: state.checkout.steps.map((step) => step.status).join(' ') }
}
const done = (step: StepName, results = {}): CheckoutCommand => ({ type: 'done', id: 'c1', step, results })
const failed = (step: StepName): CheckoutCommand => ({ type: 'failed', id: 'c1', step, refusal })
const undone = (step: StepName): CheckoutCommand => ({ type: 'undone', id: 'c1', step })
const unclear = (step: StepName): CheckoutCommand => ({ type: 'unclear', id: 'c1', step, error: 'no answer' })

test('it goes down the saga’s steps and is completed by the last', () => {
  const { types, state } = after(
    done('reserve'),
    done('authorise', { payment: 'pay_1' }),
    done('confirm'),
    done('capture'),
  )
  expect(types).toEqual([
    'checkout.started',
    'checkout.step.done',
    'checkout.step.done',
    'checkout.step.done',
    'checkout.completed',
  ])
  expect(state.checkout).toMatchObject({ status: 'completed', failure: null, stuck: false })
  expect(state.subject).toEqual({ token: '', payment: 'pay_1' })
  expect(currentStep(state.checkout)).toBeUndefined()
})

test.each([
  ['reserve', [], ['reserve']],
  ['authorise', ['reserve'], ['authorise', 'reserve']],
  ['confirm', ['reserve', 'authorise'], ['confirm', 'authorise', 'reserve']],
  ['capture', ['reserve', 'authorise', 'confirm'], ['capture', 'confirm', 'authorise', 'reserve']],
] as [
  StepName,
  StepName[],
  StepName[],
][])('when %s is refused, it goes back from there to the first', (step, before, back) => {
  let { state, outcome } = after(...before.map((name) => done(name)), failed(step))
  expect(state.checkout).toMatchObject({ status: 'compensating', failure: refusal })
  for (const name of back) {
    expect(currentStep(state.checkout)).toBe(name)
    outcome = outcome.when(undone(name))
    state = outcome.states.get(checkoutEntity('c1'))?.state as CheckoutState
  }
  expect(state.checkout.status).toBe('compensated')
  expect(currentStep(state.checkout)).toBeUndefined()
  expect(state.subject.token).toBe('')
})

test.each([
  ['a step that was done before', [done('reserve')], done('reserve')],
  ['a step whose turn has not come', [], done('capture')],
  ['an undoing while it goes forward', [], undone('reserve')],
  ['a step done after it turned back', [done('reserve'), failed('authorise')], done('authorise')],
  ['a step refused after it turned back', [failed('reserve')], failed('reserve')],
  ['anything once it is compensated', [failed('reserve'), undone('reserve')], done('reserve')],
] as [string, CheckoutCommand[], CheckoutCommand][])('%s is refused as stale', (_, before, late) => {
  after(...before)
    .outcome.when(late)
    .rejected('stale')
})

test('a step that stays unclear is stuck after a while, still its turn, and unstuck once it is told', () => {
  const tries = Array.from({ length: checkoutDefaults.stuckAfter }, () => unclear('reserve'))
  const { types, state, outcome } = after(...tries)
  expect(types).toEqual(['checkout.started', 'checkout.stuck'])
  expect(state.checkout).toMatchObject({
    status: 'running',
    stuck: true,
    steps: [{ unclear: 6, error: 'no answer' }, {}, {}, {}],
  })
  expect(currentStep(state.checkout)).toBe('reserve')
  const told = outcome.when(done('reserve')).states.get(checkoutEntity('c1'))?.state as CheckoutState
  expect(told.checkout).toMatchObject({ stuck: false })
  expect(told.checkout.steps[0]).toEqual({ name: 'reserve', status: 'done', unclear: 0, at: expect.any(String) })
})

test('an authorisation that stays unclear turns back when patience is at an end', () => {
  const patience = saga.find((step) => step.name === 'authorise')?.patience ?? 0
  const { types, state } = after(done('reserve'), ...Array.from({ length: patience }, () => unclear('authorise')))
  expect(types.at(-1)).toBe('checkout.step.failed')
  expect(state.checkout).toMatchObject({ status: 'compensating', failure: { code: 'payment-unclear' } })
  expect(currentStep(state.checkout)).toBe('authorise')
})

test('capture has no patience to lose: it is asked until it is told', () => {
  const many = Array.from({ length: 50 }, () => unclear('capture'))
  const { state } = after(done('reserve'), done('authorise'), done('confirm'), ...many)
  expect(state.checkout).toMatchObject({ status: 'running', stuck: true })
  expect(currentStep(state.checkout)).toBe('capture')
})

const expired = (round = 1): CheckoutCommand => ({
  type: 'failed',
  id: 'c1',
  step: 'confirm',
  round,
  refusal: { code: 'reservation-expired', message: 'the reservation has expired', detail: {} },
})
const paid = [done('reserve'), done('authorise', { payment: 'pay_1' })]
const anew = (step: StepName, round: number): CheckoutCommand => ({
  type: 'done',
  id: 'c1',
  step,
  round,
  results: {},
})

test('what expired before it was sold is reserved anew under another name, and paid for once', () => {
  const { types, state, outcome, statuses } = after(...paid, expired())
  expect(types.at(-1)).toBe('checkout.step.reopened')
  expect(outcome.events.at(-1)?.data).toMatchObject({ step: 'reserve' })
  expect(statuses).toBe('pending done pending pending')
  expect(state.checkout).toMatchObject({
    status: 'running',
    failure: null,
    steps: [{ round: 2 }, {}, { round: 2, error: 'the reservation has expired' }, {}],
  })
  expect([reservationOf(begun(start, new Date()).checkout), reservationOf(state.checkout)]).toEqual(['c1', 'c1.2'])
  const end = after(...paid, expired(), anew('reserve', 2), anew('confirm', 2), done('capture'))
  expect(end.state).toMatchObject({ checkout: { status: 'completed' }, subject: { payment: 'pay_1' } })
  expect(end.state.checkout.steps.map((step) => step.round)).toEqual([2, undefined, 2, undefined])
})

test('a report of the round before is stale', () => {
  const late = [expired(), done('confirm'), done('reserve'), { ...unclear('reserve'), round: 1 } as CheckoutCommand]
  for (const before of [[], [anew('reserve', 2)]]) {
    const { outcome } = after(...paid, expired(), ...before)
    for (const command of late) outcome.when(command).rejected('stale')
  }
})

test('when what expired is there no more, all goes back, and the reason is the stock', () => {
  const short = { code: 'insufficient-stock', message: 'too little in stock', detail: { lines: [] } }
  const { state } = after(...paid, expired(), { ...failed('reserve'), round: 2, refusal: short } as CheckoutCommand)
  expect(state.checkout).toMatchObject({ status: 'compensating', failure: short })
  expect(currentStep(state.checkout)).toBe('authorise')
})

test('what was reserved three times and expired each time turns back', () => {
  const rounds = [2, 3].flatMap((round) => [expired(round - 1), anew('reserve', round)])
  const { types, state } = after(...paid, ...rounds, expired(3))
  expect(types.at(-1)).toBe('checkout.step.failed')
  expect(state.checkout).toMatchObject({ status: 'compensating', failure: { code: 'reservation-expired' } })
})

test('each try waits twice as long as the one before, up to a limit', () => {
  const waits: number[] = []
  let { outcome } = after()
  for (let n = 0; n < 12; n++) {
    outcome = outcome.when(unclear('reserve'))
    const [fact] = outcome.facts
    if (fact && 'dueAt' in fact) waits.push(Date.parse(fact.dueAt ?? '') - Date.parse('2026-01-01T00:00:00Z'))
  }
  expect(waits).toEqual([200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 51_200, 60_000, 60_000, 60_000])
})

test('a retry begins the step’s tries anew and keeps the version; of one that is over it is refused', () => {
  const { outcome } = after(unclear('reserve'))
  const [fact] = outcome.when({ type: 'retry', id: 'c1' }).facts
  expect(fact).toMatchObject({ type: 'step.retried', state: { checkout: { steps: [{ unclear: 0 }, {}, {}, {}] } } })
  const over = after(failed('reserve'), undone('reserve')).outcome
  over.when({ type: 'retry', id: 'c1' }).rejected('checkout-over', { checkoutStatus: 'compensated' })
})

test('what can not be priced is refused with the reason, and starts nothing', () => {
  const refused = {
    code: 'unknown-sku',
    message: 'a line names an SKU without a price',
    detail: { lines: [{ sku: 'X' }] },
  }
  checkout
    .given()
    .when({ ...start, refused })
    .rejected('unknown-sku', { lines: [{ sku: 'X' }] })
})

test('no event and no answer that is kept carries what pays for it', () => {
  const { types, outcome } = after(done('reserve'), done('authorise'), done('confirm'))
  expect(types).toHaveLength(4)
  expect(JSON.stringify(outcome.events)).not.toContain('tok_visa')
  expect(JSON.stringify(checkoutDecider(checkoutDefaults).decide(new Map(), start, new Date()))).toContain('tok_visa')
  checkout.given().when(start).answers({ id: 'c1' })
  after().outcome.when({ type: 'retry', id: 'c1' }).answers({ id: 'c1' })
})

test('a state is the same after a round through JSON', () => {
  const { state } = after(done('reserve'), unclear('authorise'), failed('authorise'))
  expect(JSON.parse(JSON.stringify(state))).toStrictEqual(state)
  const now = new Date()
  expect(JSON.parse(JSON.stringify(begun(start, now)))).toStrictEqual(begun(start, now))
  expect(Object.keys(state.checkout satisfies Checkout)).not.toContain('refused')
})
