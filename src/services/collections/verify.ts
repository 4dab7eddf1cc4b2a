/** Proves that members are those that definitions take, and that each product's last event says where it is. */
import type { Sql } from '../../engine/database.ts'
import { type Finding, MOST_FINDINGS } from '../../engine/finding.ts'
import type { Bind } from './condition.ts'
import { type Rule, ruleSql } from './rule.ts'

/** Run it in one snapshot: what is written between its queries would be found as a difference. */
export async function verifyCollections(sql: Sql): Promise<Finding[]> {
  const collections = await sql<{ id: string; rule: Rule | null; picks: string[]; deleted: boolean }>`
    select id, rule, picks, deleted from collections.collections c
     where not exists (select from collections.evaluations e where e.collection_id = c.id)
     order by id`
  const findings = await lastEvents(sql)
  for (const each of collections) {
    if (findings.length >= MOST_FINDINGS) break
    findings.push(...(await membersOf(sql, each)))
  }
  return findings
}

/** By the same SQL that an evaluation uses; the predicate that changes are decided by must have come to the same. */
async function membersOf(sql: Sql, collection: { id: string; rule: Rule | null; picks: string[]; deleted: boolean }) {
  const values: unknown[] = []
  const bind: Bind = (value) => `$${values.push(value)}`
  const { id, rule, picks, deleted } = collection
  const taken = rule === null ? 'false' : `(${ruleSql(rule, bind)})`
  const belongs = deleted ? 'false' : `p.live and (p.product_id = any(${bind(picks)}::text[]) or ${taken})`
  const rows = await sql.text<{ product_id: string; inside: boolean }>(
    `select * from (
       select p.product_id, ${belongs} as belongs, m.product_id is not null as inside
         from collections.askable p
         left join collections.members m on m.collection_id = ${bind(id)} and m.product_id = p.product_id
     ) as each where belongs <> inside limit ${MOST_FINDINGS}`,
    values,
  )
  return rows.map(({ product_id, inside }) => ({
    rule: 'collections: members are those that the definition takes',
    what: `${id}, product ${product_id}`,
    detail: inside ? 'is in, but does not belong' : 'belongs, but is not in',
  }))
}

async function lastEvents(sql: Sql): Promise<Finding[]> {
  const rows = await sql<{ what: string; detail: string }>`
    with last as (
      select distinct on (entity) substr(entity, length('membership/') + 1) as product_id, version, data -> 'collections' as told
        from lockstep.events where entity like 'membership/%'
       order by entity, version desc
    )
    select 'product ' || coalesce(p.product_id, last.product_id) as what,
           'the last event is version ' || coalesce(last.version, 0) || ' and says ' || coalesce(last.told::text, '[]') || '; it is at '
             || coalesce(p.told, 0) || ' in ' || members.ids::text as detail
      from collections.standings p
      full join last using (product_id)
      cross join lateral (
        select coalesce(jsonb_agg(m.collection_id order by m.collection_id collate "C"), '[]') as ids
          from collections.members m where m.product_id = coalesce(p.product_id, last.product_id)) as members
     where coalesce(p.told, 0) <> coalesce(last.version, 0)
        or not (coalesce(last.told::jsonb, '[]') @> members.ids and members.ids @> coalesce(last.told::jsonb, '[]'))
     limit ${MOST_FINDINGS}`
  return rows.map((row) => ({ rule: 'collections: each product’s last event says where it is', ...row }))
}
