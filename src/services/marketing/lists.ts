/** Marketing lists as their keepers see them: made, changed, read. */
import type { Database, Sql } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import { notFound } from '../../engine/http.ts'
import { type Asked, alone, evaluateFrom } from './membership.ts'
import type { Rule } from './rule.ts'

export interface MarketingList {
  id: string
  version: number
  title: string
  description: string
  purpose: string
  rule: Rule | null
  members: number
  /** Not all customers were asked yet since it was made or its rule changed. */
  evaluating: boolean
  createdAt: Date
  updatedAt: Date
}

export interface ListFields {
  title?: string | undefined
  description?: string | undefined
  purpose?: string | undefined
  rule?: Rule | null | undefined
}

const columns = `
  l.id, l.version, l.title, l.description, l.purpose, l.rule, l.created_at as "createdAt", l.updated_at as "updatedAt",
  l.asked_up_to is not null as evaluating, (select count(*) from marketing.members m where m.list_id = l.id) as members`

export async function readList(db: Sql, id: string): Promise<MarketingList> {
  const [row] = await db.text<MarketingList>(`select ${columns} from marketing.lists l where l.id = $1`, [id])
  if (!row) throw notFound('marketing list', id)
  return row
}

export const readLists = (db: Sql, after: string, limit: number): Promise<MarketingList[]> =>
  db.text<MarketingList>(`select ${columns} from marketing.lists l where l.id > $1 order by l.id limit $2`, [
    after,
    limit,
  ])

/** A taken id is rejected as `already-exists`. */
export function createList(db: Database, id: string, fields: ListFields & { title: string }): Promise<MarketingList> {
  const { title, description = '', purpose = 'marketing', rule = null } = fields
  return db.begin(async (tx) => {
    const now = await alone(tx)
    const { count } = await tx`
      insert into marketing.lists (id, version, title, description, purpose, rule)
      values (${id}, 1, ${title}, ${description}, ${purpose}, ${rule && JSON.stringify(rule)}::jsonb)
      on conflict do nothing`
    if (count === 0)
      throw new Rejected(
        'already-exists',
        { what: 'marketing list', id },
        `there is a list ${JSON.stringify(id)} already`,
      )
    await ask({ id, purpose, rule }, now, tx)
    return readList(tx, id)
  })
}

/** `expected` is the version the caller saw: another one is rejected as `version-mismatch`. */
export function changeList(db: Database, id: string, fields: ListFields, expected?: number): Promise<MarketingList> {
  return db.begin(async (tx) => {
    const now = await alone(tx)
    const before = await seen(tx, id, expected)
    const { title = before.title, description = before.description, purpose = before.purpose } = fields
    const rule = fields.rule === undefined ? before.rule : fields.rule
    await tx`
      update marketing.lists
         set version = version + 1, updated_at = now(), title = ${title}, description = ${description}, purpose = ${purpose},
             rule = ${rule && JSON.stringify(rule)}::jsonb
       where id = ${id}`
    // Who agreed to something else is off at once.
    if (purpose !== before.purpose) await tx`delete from marketing.members where list_id = ${id}`
    if (fields.rule !== undefined || fields.purpose !== undefined) await ask({ id, purpose, rule }, now, tx)
    return readList(tx, id)
  })
}

/** As many customers as a caller may wait for; the others are asked in the background. */
const INLINE_MS = 500

async function ask(list: Asked, now: number, tx: Sql): Promise<void> {
  const upTo = await evaluateFrom(list, '', now, tx, INLINE_MS)
  await tx`update marketing.lists set asked_up_to = ${upTo} where id = ${list.id}`
}

export function deleteList(db: Database, id: string, expected?: number): Promise<void> {
  return db.begin(async (tx) => {
    await alone(tx)
    await seen(tx, id, expected)
    await tx`delete from marketing.lists where id = ${id}`
  })
}

async function seen(tx: Sql, id: string, expected: number | undefined): Promise<MarketingList> {
  const list = await readList(tx, id)
  if (expected !== undefined && expected !== list.version)
    throw new Rejected(
      'version-mismatch',
      { entity: `marketing-list/${id}`, expected, actual: list.version },
      `the list is at version ${list.version}`,
    )
  return list
}

export const membersOf = (db: Sql, listId: string, after: string, limit: number) =>
  db<{ customerId: string; since: Date }>`
    select customer_id as "customerId", since
      from marketing.members
     where list_id = ${listId} and customer_id > ${after}
     order by customer_id
     limit ${limit}`
