/** What must always hold of media: told as their last events say, nothing waiting without a reason, every product's links known, files where they should be. */
import type { Sql } from '../../engine/database.ts'
import type { Finding } from '../../engine/finding.ts'
import type { MediaFiles } from './files.ts'

/** Content whose files are looked for, the newest first. */
const LOOKED_AT = 1_000

export async function verifyMedia(sql: Sql, files: MediaFiles): Promise<Finding[]> {
  const [events, stuck, missing] = await Promise.all([
    asTheirEvents(sql),
    waitingForNothing(sql),
    withoutFiles(sql, files),
  ])
  return [...events, ...stuck, ...missing]
}

async function asTheirEvents(sql: Sql): Promise<Finding[]> {
  const rows = await sql<{ what: string; detail: string }>`
    with last as (
      select distinct on (entity) entity, version, data
        from lockstep.events
       where entity like 'media/%'
       order by entity, version desc
    )
    select coalesce(l.entity, 'media/' || p.product_id) as what,
           format('version %s, its last event has %s', p.version, l.version) as detail
      from media.products p full join last l on l.entity = 'media/' || p.product_id
     where p.version is distinct from l.version
        or (p.state -> 'media')::jsonb <> (l.data -> 'media')::jsonb
     limit 1000`
  return rows.map((row) => ({ rule: 'media: they are as their last events say', ...row }))
}

/** A product that is pending has a link that is, or is about to be told of. */
async function waitingForNothing(sql: Sql): Promise<Finding[]> {
  const rows = await sql<{ what: string; detail: string }>`
    select u.key as what, 'pending since ' || u.since || ', and all of its links are ready or failed' as detail
      from lockstep.unfinished u
      left join media.wanted w on w.product_id = u.key
     where u.consumer = 'media'
       and not exists (select from media.links l where l.id = any(w.link_ids) and l.state = 'wanted')
       and not exists (select from media.untold t where t.product_id = u.key)
     limit 1000`
  return rows.map((row) => ({ rule: 'media: who is pending waits for something', ...row }))
}

async function withoutFiles(sql: Sql, files: MediaFiles): Promise<Finding[]> {
  const rows = await sql<{ hash: string; names: string[] }>`
    select hash, array(select (r ->> 'name') || '.webp' from json_array_elements(asset -> 'renditions') r) as names
      from media.assets
     where exists (select from media.links l join media.wanted w on w.link_ids @> array[l.id] where l.hash = assets.hash)
     order by hash
     limit ${LOOKED_AT}`
  const found: Finding[] = []
  for (const { hash, names } of rows) {
    for (const name of ['original', ...names]) {
      const file = await files.open(hash, name)
      await file?.close()
      if (!file) found.push({ rule: 'media: what was made has its files', what: hash, detail: `${name} is missing` })
    }
  }
  return found
}
