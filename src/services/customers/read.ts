/** What can be read of customers. The personal fields are opened on the way out; of an erased customer there is nothing to open. */
import { texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import { type FieldChange, syncToken } from '../../engine/event.ts'
import { customerEntity } from './customer.ts'
import type { CustomerState } from './decider.ts'
import type { Customer, Person, Preferences } from './events.ts'
import { emailDigest, unseal } from './seal.ts'
import { type CustomerRow, stateOf } from './store.ts'

type Blank = { [Field in keyof Person]: null }
/** As it is answered: of an erased customer the personal fields are null. */
export type CustomerView = Omit<Customer, 'sealed'> & (Person | Blank) & { version: number; syncToken: string }

const blank: Blank = { name: null, email: null, phone: null, addresses: null }

function viewOf({ person, key: _, ...common }: CustomerState, version: number): CustomerView {
  const { id, preferences, createdAt, updatedAt, erasedAt } = common
  const status = person === null ? 'erased' : 'active'
  const token = syncToken(customerEntity(id), version)
  return { id, status, ...(person ?? blank), preferences, createdAt, updatedAt, erasedAt, version, syncToken: token }
}

export async function readCustomer(db: Sql, id: string): Promise<CustomerView | undefined> {
  const [row] = await db<CustomerRow>`
    select c.version, c.personal, c.state, k.key
    from   customers.customers c
    left   join customers.keys k on k.customer_id = c.id
    where  c.id = ${id}`
  return row && viewOf(stateOf(row), row.version)
}

/** As it was at a version, as long as the log keeps that; without the personal fields once it is erased. */
export async function readCustomerAt(db: Sql, id: string, version: number): Promise<CustomerView | undefined> {
  const [row] = await db<{ customer: string; key: string | null }>`
    select e.data -> 'customer' as customer, k.key
    from   lockstep.events e
    left   join customers.keys k on k.customer_id = ${id}
    where  e.entity = ${customerEntity(id)} and e.version = ${version}`
  if (!row) return undefined
  const { sealed, status, ...common }: Customer = JSON.parse(row.customer)
  const { key } = row
  const opened = sealed === null || key === null ? { person: null, key: null } : { person: unseal(key, sealed), key }
  return { ...viewOf({ ...common, ...opened }, version), status }
}

/** Who these customers are now, with what they prefer; those who were erased, or never were, are not in it. */
export async function revealCustomers(
  db: Sql,
  ids: readonly string[],
): Promise<Map<string, Person & { preferences: Preferences }>> {
  if (ids.length === 0) return new Map()
  const rows = await db<CustomerRow>`
    select c.version, c.personal, c.state, k.key
    from   customers.customers c
    join   customers.keys k on k.customer_id = c.id
    where  c.id = any(string_to_array(${texts(ids)}, chr(30)))`
  return new Map(
    rows.map(stateOf).flatMap(({ id, person, preferences }) => (person ? [[id, { ...person, preferences }]] : [])),
  )
}

/** What others have kept sealed of these customers, opened; those erased since are not in it. */
export async function openSealed(db: Sql, sealed: ReadonlyMap<string, string>): Promise<Map<string, Person>> {
  if (sealed.size === 0) return new Map()
  const rows = await db<{ id: string; key: string }>`
    select customer_id as id, key
    from   customers.keys
    where  customer_id = any(string_to_array(${texts([...sealed.keys()])}, chr(30)))`
  return new Map(rows.map(({ id, key }) => [id, unseal(key, sealed.get(id) as string)]))
}

/** What a write made: most often the customer as it is; if somebody has written since, or a command is repeated, from the log. */
export async function readWritten(db: Sql, id: string, version: number): Promise<CustomerView | undefined> {
  const now = await readCustomer(db, id)
  return now?.version === version ? now : ((await readCustomerAt(db, id, version)) ?? now)
}

/** Customers in order of their ids, from behind `after`, erased ones too; with an address the one who has it. */
export async function listCustomers(
  db: Sql,
  { email, after, limit }: { email?: string | undefined; after?: string | undefined; limit: number },
): Promise<CustomerView[]> {
  const rows =
    email === undefined
      ? await db<CustomerRow>`
          select c.version, c.personal, c.state, k.key
          from   customers.customers c
          left   join customers.keys k on k.customer_id = c.id
          where  c.id > ${after ?? ''}
          order  by c.id
          limit  ${limit}`
      : await db<CustomerRow>`
          select c.version, c.personal, c.state, k.key
          from   customers.emails e
          join   customers.customers c on c.id = e.customer_id
          left   join customers.keys k on k.customer_id = c.id
          where  e.digest = ${emailDigest(email)} and c.id > ${after ?? ''}`
  return rows.map((row) => viewOf(stateOf(row), row.version))
}

export interface HistoryEntry {
  version: number
  type: string
  at: Date
  actor: string | null
  correlationId: string | null
  /** Names of the personal fields that changed; null for what is no update of these. */
  fields: string[] | null
  /** What changed of the preferences; null for what is no update of these. */
  changes: FieldChange[] | null
}

/** A customer's events behind a version, oldest first: who changed which fields, and when. */
export async function readHistory(db: Sql, id: string, after: number, limit: number): Promise<HistoryEntry[]> {
  type Row = Omit<HistoryEntry, 'fields' | 'changes'> & { fields: string | null; changes: string | null }
  const rows = await db<Row>`
    select   version, type, at, meta ->> 'actor' as actor, meta ->> 'correlationId' as "correlationId",
             data -> 'fields' as fields, data -> 'changes' as changes
    from     lockstep.events
    where    entity = ${customerEntity(id)} and version > ${after}
    order by version
    limit    ${limit}`
  const parsed = (text: string | null) => (text === null ? null : JSON.parse(text))
  return rows.map((row) => ({ ...row, fields: parsed(row.fields), changes: parsed(row.changes) }))
}
