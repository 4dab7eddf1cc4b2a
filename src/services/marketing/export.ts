/** A list's addresses as CSV, for those who write to them. Each export is kept: who, when, why, of which list, how many. */
import { randomUUIDv7 } from 'node:crypto'
import type { Database, Sql } from '../../engine/database.ts'
import type { Person, Preferences } from '../customers/events.ts'
import { type MarketingList, membersOf } from './lists.ts'
import { chosenIn, mayBeAsked, wantsEmail } from './membership.ts'

/** Who these customers are now; those who were erased are not in it. */
export type Reveal = (customerIds: readonly string[]) => Promise<Map<string, Person & { preferences: Preferences }>>

/** Customers revealed in one go. */
const page = 500

export interface Export {
  id: string
  listId: string
  listVersion: number
  actor: string
  reason: string
  startedAt: Date
  /** Null when it broke off, or is under way. */
  finishedAt: Date | null
  customers: number
}

/** Kept before the first address is out. */
export async function beginExport(db: Sql, list: MarketingList, actor: string, reason: string): Promise<string> {
  const id = randomUUIDv7()
  await db`
    insert into marketing.exports (id, list_id, list_version, actor, reason)
    values (${id}, ${list.id}, ${list.version}, ${actor}, ${reason})`
  return id
}

/** The source has the last word: whoever took back their agreement, or was erased, a moment ago is left out. */
export async function* exported(db: Database, reveal: Reveal, list: MarketingList, exportId: string) {
  yield csvLine(['customerId', 'email', 'name', 'locale'])
  let customers = 0
  for (let after = ''; ; ) {
    const members = await membersOf(db, list.id, after, page)
    const people = await reveal(members.map(({ customerId }) => customerId))
    const lines: string[] = []
    for (const { customerId } of members) {
      const person = people.get(customerId)
      const chosen = person && chosenIn(person.preferences)
      if (!chosen || !mayBeAsked(chosen, list.purpose) || !wantsEmail(chosen, list.purpose)) continue
      lines.push(csvLine([customerId, person.email, person.name, person.preferences.locale ?? '']))
    }
    customers += lines.length
    await db`update marketing.exports set customers = ${customers} where id = ${exportId}`
    if (lines.length > 0) yield lines.join('')
    const last = members.at(-1)
    if (members.length < page || !last) break
    after = last.customerId
  }
  await db`update marketing.exports set finished_at = clock_timestamp() where id = ${exportId}`
}

/** A cell that a spreadsheet would take for a formula begins with an apostrophe (OWASP ASVS 1.2.10). */
export const csvLine = (cells: string[]) =>
  `${cells
    .map((cell) => (/^[=+\-@\t\r]/.test(cell) ? `'${cell}` : cell))
    .map((cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell))
    .join(',')}\r\n`

export const listExports = (db: Sql, before: string | undefined, limit: number): Promise<Export[]> =>
  db<Export>`
    select id, list_id as "listId", list_version as "listVersion", actor, reason, started_at as "startedAt",
           finished_at as "finishedAt", customers
      from marketing.exports
     where ${before ?? null}::uuid is null or id < ${before ?? null}::uuid
     order by id desc
     limit ${limit}`
