/** Proves that checkouts and the log say the same, and that none that is over was left half done. */
import type { Sql } from '../../engine/database.ts'
import { type Finding, type Found, findingsOf, MOST_FINDINGS } from '../../engine/finding.ts'

export function verifyCheckouts(sql: Sql): Promise<Finding[]> {
  return findingsOf([
    ['checkout: every checkout is at its last event', againstLog(sql)],
    ['checkout: one that is over has all its steps done, or none', halfDone(sql)],
  ])
}

const againstLog = (sql: Sql) => sql<Found>`
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
  limit  ${MOST_FINDINGS}`

const halfDone = (sql: Sql) => sql<Found>`
  select 'checkout/' || c.id as what, format('%s, but %s is %s', c.status, s ->> 'name', s ->> 'status') as detail
  from   checkout.checkouts c, json_array_elements(c.state -> 'checkout' -> 'steps') s
  where  c.status = 'completed'   and s ->> 'status' <> 'done'
     or  c.status = 'compensated' and s ->> 'status' in ('done', 'failed')
  limit  ${MOST_FINDINGS}`
