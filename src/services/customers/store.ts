/** Where customers, their keys and the owners of e-mail addresses are kept. What is personal is only ever written sealed. */
import { numbers, texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Changed, EntityId, Store, Versioned } from '../../engine/decider.ts'
import { customerEntity } from './customer.ts'
import { type CustomerState, type CustomersFact, type CustomersState, type EmailState, told } from './decider.ts'
import type { Customer } from './events.ts'
import { unseal } from './seal.ts'

type Loaded = { states: Map<EntityId, Versioned<CustomersState>>; blocked: EntityId[] }
const emails = 'email/'

/**
 * One round trip. Besides the rows it locks, it asks which there are, to know those that somebody else holds. An address that another process claims
 * meanwhile is refused by the primary key, and the commands are looked at again.
 */
export const customersStore: Store<CustomersState, CustomersFact> = {
  async load(tx, ids, { skipLocked }) {
    const loaded: Loaded = { states: new Map(), blocked: [] }
    await Promise.all([
      loadCustomers(tx, namedBy(ids, customerEntity('')), skipLocked, loaded),
      loadEmails(tx, namedBy(ids, emails), skipLocked, loaded),
    ])
    return loaded
  },

  save: (tx, changed) => Promise.all([...saveCustomers(tx, changed), ...saveEmails(tx, changed)]),
}

const namedBy = (ids: EntityId[], prefix: string) =>
  ids.filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length))

export type CustomerRow = { version: number; personal: string | null; key: string | null; state: string }
type Common = Omit<Customer, 'status' | 'sealed'>

/** The customer that a row holds, opened. A row read beside an erasure may still have a key; it opens nothing any more. */
export function stateOf({ personal, key, state }: CustomerRow): CustomerState {
  const common: Common = JSON.parse(state)
  if (personal === null || key === null) return { ...common, person: null, key: null }
  return { ...common, person: unseal(key, personal), key }
}

async function loadCustomers(tx: Sql, ids: string[], skipLocked: boolean, { states, blocked }: Loaded) {
  if (ids.length === 0) return
  const asked = texts(ids)
  const [rows, there] = await Promise.all([
    skipLocked
      ? tx<CustomerRow>`
          select c.version, c.personal, c.state, k.key
          from   customers.customers c
          left   join customers.keys k on k.customer_id = c.id
          where  c.id = any(string_to_array(${asked}, chr(30)))
          order  by c.id
          for    update of c skip locked`
      : tx<CustomerRow>`
          select c.version, c.personal, c.state, k.key
          from   customers.customers c
          left   join customers.keys k on k.customer_id = c.id
          where  c.id = any(string_to_array(${asked}, chr(30)))
          order  by c.id
          for    update of c`,
    skipLocked
      ? tx<{ id: string }>`select id from customers.customers where id = any(string_to_array(${asked}, chr(30)))`
      : [],
  ])
  for (const row of rows) {
    const state = stateOf(row)
    states.set(customerEntity(state.id), { version: row.version, state })
  }
  for (const { id } of there) if (!states.has(customerEntity(id))) blocked.push(customerEntity(id))
}

async function loadEmails(tx: Sql, digests: string[], skipLocked: boolean, { states, blocked }: Loaded) {
  if (digests.length === 0) return
  type Row = { digest: string; customerId: string }
  const asked = texts(digests)
  const [rows, there] = await Promise.all([
    skipLocked
      ? tx<Row>`
          select digest, customer_id as "customerId"
          from   customers.emails
          where  digest = any(string_to_array(${asked}, chr(30)))
          order  by digest
          for    update skip locked`
      : tx<Row>`
          select digest, customer_id as "customerId"
          from   customers.emails
          where  digest = any(string_to_array(${asked}, chr(30)))
          order  by digest
          for    update`,
    skipLocked
      ? tx<{
          digest: string
        }>`select digest from customers.emails where digest = any(string_to_array(${asked}, chr(30)))`
      : [],
  ])
  for (const { digest, customerId } of rows) states.set(`${emails}${digest}`, { version: 0, state: { customerId } })
  for (const { digest } of there) if (!states.has(`${emails}${digest}`)) blocked.push(`${emails}${digest}`)
}

type ChangedCustomers = Changed<CustomersState, CustomersFact>
type Row = { version: number; state: CustomerState; customer: Customer }

/** What is new is inserted plainly: two creations that did not see each other must not become one row with two first versions. */
function saveCustomers(tx: Sql, { states, facts }: ChangedCustomers) {
  const created = new Set<EntityId>()
  const updated = new Set<EntityId>()
  const erased = new Set<EntityId>()
  for (const { fact } of facts) {
    if (!fact.type.startsWith('customer.')) continue
    if (fact.type === 'customer.created') created.add(fact.entity)
    else if (!created.has(fact.entity)) updated.add(fact.entity)
    if (fact.type === 'customer.erased') erased.add(fact.entity)
  }
  const rowOf = (entity: EntityId): Row => {
    const { version, state } = states.get(entity) as Versioned<CustomerState>
    return { version, state: state as CustomerState, customer: told(state as CustomerState) }
  }
  const fresh = [...created].map(rowOf)
  const keyed = fresh.filter(({ state }) => state.key !== null)
  const gone = [...erased]
    .filter((entity) => !created.has(entity))
    .map((entity) => entity.slice(customerEntity('').length))
  return [
    fresh.length > 0 && insertCustomers(tx, fresh),
    keyed.length > 0 &&
      tx`
        insert into customers.keys (customer_id, key)
        select customer_id, key
        from   unnest(string_to_array(${texts(keyed.map(({ state }) => state.id))}, chr(30)),
                      string_to_array(${texts(keyed.map(({ state }) => state.key as string))}, chr(30)))
               as created (customer_id, key)`,
    updated.size > 0 && updateCustomers(tx, [...updated].map(rowOf)),
    gone.length > 0 && tx`delete from customers.keys where customer_id = any(string_to_array(${texts(gone)}, chr(30)))`,
  ]
}

const insertCustomers = (tx: Sql, rows: Row[]) =>
  tx`
    insert into customers.customers (id, version, erased, personal, state)
    select id, version, personal is null, personal, state::json
    from   unnest(string_to_array(${texts(rows.map(({ state }) => state.id))}, chr(30)),
                  ${numbers(rows.map(({ version }) => version))}::bigint[],
                  string_to_array(${sealedOf(rows)}, chr(30), '-'),
                  string_to_array(${statesOf(rows)}, chr(30)))
           as created (id, version, personal, state)`

const updateCustomers = (tx: Sql, rows: Row[]) =>
  tx`
    update customers.customers c
    set    version  = updated.version,
           erased   = updated.personal is null,
           personal = updated.personal,
           state    = updated.state::json
    from   unnest(string_to_array(${texts(rows.map(({ state }) => state.id))}, chr(30)),
                  ${numbers(rows.map(({ version }) => version))}::bigint[],
                  string_to_array(${sealedOf(rows)}, chr(30), '-'),
                  string_to_array(${statesOf(rows)}, chr(30)))
           as updated (id, version, personal, state)
    where  c.id = updated.id`

const sealedOf = (rows: Row[]) => texts(rows.map(({ customer }) => customer.sealed ?? '-'))
const statesOf = (rows: Row[]) =>
  texts(rows.map(({ customer: { status: _, sealed: __, ...common } }) => JSON.stringify(common satisfies Common)))

/** What was freed goes first: an address may pass from one customer to another within a batch. A plain insert, so that nobody's is taken over. */
function saveEmails(tx: Sql, { states, facts }: ChangedCustomers) {
  const freed = new Set<string>()
  const owners = new Map<string, string>()
  for (const { fact } of facts) {
    if (fact.type !== 'email.claimed' && fact.type !== 'email.freed') continue
    const digest = fact.entity.slice(emails.length)
    const owner = states.get(fact.entity)?.state as EmailState | undefined
    if (fact.type === 'email.freed') freed.add(digest)
    if (owner) owners.set(digest, owner.customerId)
  }
  const claimed = [...owners].sort(([left], [right]) => (left < right ? -1 : 1))
  return [
    freed.size > 0 &&
      tx`delete from customers.emails where digest = any(string_to_array(${texts([...freed])}, chr(30)))`,
    claimed.length > 0 &&
      tx`
        insert into customers.emails (digest, customer_id)
        select digest, customer_id
        from   unnest(string_to_array(${texts(claimed.map(([digest]) => digest))}, chr(30)),
                      string_to_array(${texts(claimed.map(([, owner]) => owner))}, chr(30))) as claimed (digest, customer_id)`,
  ]
}
