/** Proves that checkouts and the log say the same, and that none that is over was left half done. */
import type { Sql } from '../../engine/database.ts'

export interface Finding {
  rule: string
  what: string
  detail: string
}

type Row = Omit<Finding, 'rule'>

/** Findings a rule reports at most. */
const most = 1_000

/** Run it in one snapshot: what is written between its queries would be found as a difference. */
export async function verifyCheckouts(sql: Sql): Promise<Finding[]> {
  const rules: [string, Promise<Row[]>][] = [
    ['checkout: every checkout is at its last event', againstLog(sql)],
    ['checkout: one that is over has all its steps done, or none', halfDone(sql)],
  ]
  const found = await Promise.all(rules.map(async ([rule, rows]) => (await rows).map((row) => ({ rule, ...row }))))
  return found.flat()
}

const againstLog = (sql: Sql) => sql<Row>`
  with last as (
    select distinct on (entity) entity, version, data -> 'checkout' ->> 'status' as status
    from   lockstep.events
    where  entity like 'checkout/%'
    order  by entity, version desc
  )
  select last.entity as what,
         format('the state is %s at %s, the log %s at %s', c.status, c.version, last.status, last.version) as detail
  from   last
  left   join checkout.checkouts c on last.entity = 'checkout/' || c.id
  where  (c.version, c.status) is distinct from (last.version, last.status)
  limit  ${most}`

const halfDone = (sql: Sql) => sql<Row>`
  select 'checkout/' || c.id as what, format('%s, but %s is %s', c.status, s ->> 'name', s ->> 'status') as detail
  from   checkout.checkouts c, json_array_elements(c.state -> 'checkout' -> 'steps') s
  where  c.status = 'completed'   and s ->> 'status' <> 'done'
     or  c.status = 'compensated' and s ->> 'status' in ('done', 'failed')
  limit  ${most}`
