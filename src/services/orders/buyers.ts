/** Customers as orders last saw them (E, Customer Profile Updates). What is personal stays sealed, and is opened for whoever asks. */
import { texts } from '../../engine/columns.ts'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { Customer, Person } from '../customers/events.ts'

/** Opens what is sealed, by customer; those erased are not in it. */
export type Open = (sealed: ReadonlyMap<string, string>) => Promise<ReadonlyMap<string, Person>>

export interface Buyer extends Pick<{ [Field in keyof Person]: Person[Field] | null }, 'name' | 'email' | 'phone'> {
  id: string
  status: 'active' | 'erased'
  /** The customer's version that was last seen. */
  version: number
}

export function buyersProjection(): Projection {
  return projection({
    name: 'orders',
    on: ['customer.*'],
    async apply(changes, tx) {
      const rows = changes.map(({ version, data }) => ({ version, ...(data.customer as Customer) }))
      await tx`
        insert into orders.customers as c (id, version, sealed)
        select * from unnest(${rows.map((row) => row.id)}::text[], ${rows.map((row) => row.version)}::bigint[],
                             ${rows.map((row) => row.sealed)}::text[])
        on conflict (id) do update set version = excluded.version, sealed = excluded.sealed
        where  excluded.version > c.version`
    },
    reset: async (tx) => void (await tx`truncate orders.customers`),
  })
}

/** Those of these customers that were ever seen; imported orders have others too. */
export async function buyersOf(db: Sql, ids: (string | null)[], open: Open): Promise<Map<string, Buyer>> {
  const asked = [...new Set(ids)].filter((id) => id !== null)
  if (asked.length === 0) return new Map()
  const rows = await db<{ id: string; version: number; sealed: string | null }>`
    select id, version, sealed from orders.customers where id = any(string_to_array(${texts(asked)}, chr(30)))`
  const sealed = rows.flatMap((row): [string, string][] => (row.sealed === null ? [] : [[row.id, row.sealed]]))
  const people = await open(new Map(sealed))
  return new Map(
    rows.map(({ id, version }) => {
      const { name = null, email = null, phone = null } = people.get(id) ?? {}
      return [id, { id, status: people.has(id) ? 'active' : 'erased', version, name, email, phone }]
    }),
  )
}
