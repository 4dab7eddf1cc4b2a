/** Proves that customers, their keys, the owners of addresses and the log say the same. */
import type { Sql } from '../../engine/database.ts'

type Row = { what: string; detail: string }

/** Findings a rule reports at most. */
const most = 1_000

/** Run it in one snapshot: what is written between its queries would be found as a difference. */
export async function verifyCustomers(sql: Sql): Promise<({ rule: string } & Row)[]> {
  const rules: [string, Promise<Row[]>][] = [
    ['customers: every customer is at its last event', againstLog(sql)],
    ['customers: who is active has a key and one address, who is erased has neither', keysAndAddresses(sql)],
  ]
  const found = await Promise.all(rules.map(async ([rule, rows]) => (await rows).map((row) => ({ rule, ...row }))))
  return found.flat()
}

const againstLog = (sql: Sql) => sql<Row>`
  with last as (
    select entity, max(version) as version from lockstep.events where entity like 'customer/%' group by entity
  )
  select last.entity as what,
         format('the state is at %s, the log at %s', coalesce(c.version::text, 'nothing'), last.version) as detail
  from   last
  left   join customers.customers c on last.entity = 'customer/' || c.id
  where  c.version is distinct from last.version
  limit  ${most}`

const keysAndAddresses = (sql: Sql) => sql<Row>`
  with held as (
    select coalesce(c.id, k.customer_id, e.customer_id) as id, c.id is not null and not c.erased as active,
           k.key is not null as keyed, coalesce(e.addresses, 0) as addresses
    from   customers.customers c
    full   join customers.keys k on k.customer_id = c.id
    full   join (select customer_id, count(*) as addresses from customers.emails group by customer_id) e
           on e.customer_id = coalesce(c.id, k.customer_id)
  )
  select 'customer/' || id as what,
         format('%s, %s key, %s addresses', case when active then 'active' else 'not active' end,
                case when keyed then 'with a' else 'without a' end, addresses) as detail
  from   held
  where  (active, keyed, addresses) not in ((true, true, 1), (false, false, 0))
  limit  ${most}`
