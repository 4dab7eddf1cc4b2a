/** The development provider's book: which payments it holds, took and gave back. A source without events, so that many calls share one commit. */
import { createHash } from 'node:crypto'
import { numbers, texts } from '../../../engine/columns.ts'
import type { Sql } from '../../../engine/database.ts'
import type { Changed, Decider, EntityId, Fact, Store, Versioned } from '../../../engine/decider.ts'
import type { Amount, Answer, Operation } from '../provider.ts'

export type BookCommand =
  /** `refuse` is the reason why the card is declined; none: it is good. */
  | ({ operation: 'authorise'; payment: string; token: string; refuse?: string } & Amount)
  | ({ operation: 'capture'; payment: string; refuse?: string } & Amount)
  | { operation: 'void'; payment: string }
  | ({ operation: 'refund'; payment: string } & Partial<Amount>)

export interface Payment {
  id: string
  token: string
  currency: string
  authorised: number
  captured: number
  refunded: number
  voided: boolean
  declined: string | null
}

export type Booked = Fact & { type: Operation | 'declined'; payment: Payment; amount: number }

/** The payment that an authorisation under this key opens: the same wherever it is asked for. */
export const paymentOf = (key: string) => `pay_${createHash('sha256').update(key).digest('hex').slice(0, 24)}`

const entityOf = (payment: string): EntityId => `payment/${payment}`

export const bookDecider: Decider<Payment, BookCommand, Booked> = {
  touches: (command) => [entityOf(command.payment)],
  creates: (command) => (command.operation === 'authorise' ? [entityOf(command.payment)] : []),
  evolve: (_, fact) => fact.payment,
  tell: () => undefined,
  decide(states, command) {
    const entity = entityOf(command.payment)
    const payment = states.get(entity)?.state ?? opened(command)
    const booked = booking(payment, command)
    if (typeof booked === 'string') {
      const answer: Answer = { outcome: 'declined', reason: booked }
      if (command.operation !== 'authorise') return { facts: [], answer }
      const declined = { ...payment, declined: booked }
      return { facts: [{ type: 'declined', entity, payment: declined, amount: 0 }], answer }
    }
    const { amount, ...columns } = booked
    const answer: Answer = { outcome: 'approved', payment: payment.id, amount, currency: payment.currency }
    return { facts: [{ type: command.operation, entity, payment: { ...payment, ...columns }, amount }], answer }
  },
}

function opened(command: BookCommand): Payment {
  const { token, currency } = { token: '', currency: '', ...command }
  return {
    id: command.payment,
    token,
    currency,
    authorised: 0,
    captured: 0,
    refunded: 0,
    voided: false,
    declined: null,
  }
}

/** The columns it changes and the amount it moves, or why not. */
function booking(payment: Payment, command: BookCommand): (Partial<Payment> & { amount: number }) | string {
  const { authorised, captured, refunded, voided, currency } = payment
  if (command.operation === 'authorise') {
    if (command.refuse) return command.refuse
    return { amount: command.amount, authorised: command.amount }
  }
  if (payment.token === '' || payment.declined) return 'not-found'
  if (command.operation === 'void') {
    if (captured > 0) return 'captured'
    return { amount: voided ? 0 : authorised, voided: true }
  }
  if ((command.currency ?? currency) !== currency) return 'other-currency'
  if (command.operation === 'capture') {
    if (command.refuse) return command.refuse
    if (voided) return 'voided'
    if (captured > 0) return 'captured'
    return command.amount > authorised ? 'exceeds-authorisation' : { amount: command.amount, captured: command.amount }
  }
  const amount = command.amount ?? captured - refunded
  return amount > captured - refunded ? 'exceeds-capture' : { amount, refunded: refunded + amount }
}

export const bookStore: Store<Payment, Booked> = {
  async load(tx, ids, { skipLocked }) {
    const asked = texts(ids.map((id) => id.slice(entityOf('').length)))
    const [rows, there] = await Promise.all([
      skipLocked
        ? tx<Payment>`
            select id, token, currency, authorised, captured, refunded, voided, declined
            from   payments.book
            where  id = any(string_to_array(${asked}, chr(30)))
            order  by id
            for    update skip locked`
        : tx<Payment>`
            select id, token, currency, authorised, captured, refunded, voided, declined
            from   payments.book
            where  id = any(string_to_array(${asked}, chr(30)))
            order  by id
            for    update`,
      skipLocked
        ? tx<{ id: string }>`select id from payments.book where id = any(string_to_array(${asked}, chr(30)))`
        : [],
    ])
    const states = new Map(
      rows.map((row): [EntityId, Versioned<Payment>] => [entityOf(row.id), { version: 0, state: row }]),
    )
    return { states, blocked: there.map((row) => entityOf(row.id)).filter((entity) => !states.has(entity)) }
  },

  save: (tx, { states, facts }) => Promise.all([savePayments(tx, states), saveMovements(tx, facts)]),
}

function savePayments(tx: Sql, states: Changed<Payment, Booked>['states']) {
  const rows = [...states.values()].map(({ state }) => state as Payment)
  return tx`
    insert into payments.book as b (id, token, currency, authorised, captured, refunded, voided, declined)
    select *
    from   unnest(string_to_array(${texts(rows.map((row) => row.id))}, chr(30)),
                  string_to_array(${texts(rows.map((row) => row.token))}, chr(30)),
                  string_to_array(${texts(rows.map((row) => row.currency))}, chr(30)),
                  ${numbers(rows.map((row) => row.authorised))}::bigint[],
                  ${numbers(rows.map((row) => row.captured))}::bigint[],
                  ${numbers(rows.map((row) => row.refunded))}::bigint[],
                  ${rows.map((row) => row.voided)}::boolean[],
                  ${rows.map((row) => row.declined)}::text[])
    on conflict (id) do update
    set    captured = excluded.captured,
           refunded = excluded.refunded,
           voided   = excluded.voided`
}

function saveMovements(tx: Sql, facts: Changed<Payment, Booked>['facts']) {
  const moved = facts.map(({ fact }) => fact).filter(({ type }) => type !== 'declined')
  if (moved.length === 0) return undefined
  return tx`
    insert into payments.movements (payment, operation, amount)
    select *
    from   unnest(string_to_array(${texts(moved.map((fact) => fact.payment.id))}, chr(30)),
                  string_to_array(${texts(moved.map((fact) => fact.type))}, chr(30)),
                  ${numbers(moved.map((fact) => fact.amount))}::bigint[])`
}
