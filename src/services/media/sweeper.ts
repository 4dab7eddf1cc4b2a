/** Removes what no product shows any more, after a time of grace: links, what was made of them, and their files. */
import type { Database } from '../../engine/database.ts'
import { alone } from './assets.ts'
import type { MediaFiles } from './files.ts'

/** An image that was taken off a product by mistake is still there for so long. */
const GRACE = '7 days'
/** Nothing is worked at for so long. */
const DRAFTS_MS = 3_600_000
const PAGE = 500

/**
 * Answers of how much content it removed the files. `grace` is an interval of Postgres. Only what this database knew is removed: the files may be
 * another one's too.
 */
export async function sweep(db: Database, files: MediaFiles, grace = GRACE): Promise<number> {
  await files.removeDrafts(DRAFTS_MS)
  const links = await db<{ hash: string | null }>`
    delete from media.links
     where id in (select id from media.links l
                   where changed_at < clock_timestamp() - ${grace}::interval
                     and not exists (select from media.wanted w where w.link_ids @> array[l.id])
                     for update skip locked)
    returning hash`
  await db`
    update media.assets a
       set unused_since = case when shown then null else clock_timestamp() end
      from (select hash, exists (select from media.links l join media.wanted w on w.link_ids @> array[l.id] where l.hash = b.hash) as shown
              from media.assets b) s
     where s.hash = a.hash and shown <> (unused_since is null)`
  const unused = await db<{ hash: string }>`
    select hash from media.assets where unused_since < clock_timestamp() - ${grace}::interval limit ${PAGE}`
  // Uploads that nothing came of have a link and no asset.
  const hashes = new Set([...unused.map(({ hash }) => hash), ...links.flatMap(({ hash }) => hash ?? [])])
  let removed = 0
  for (const hash of hashes) if (await alone(db, hash, () => remove(db, files, hash, grace))) removed++
  return removed
}

/** Looks once more, now that nobody else can: an asset in its grace and content that somebody shows stay. */
async function remove(db: Database, files: MediaFiles, hash: string, grace: string): Promise<boolean> {
  const [row] = await db<{ kept: boolean }>`
    select exists (select from media.assets where hash = ${hash} and (unused_since is null or unused_since >= clock_timestamp() - ${grace}::interval))
        or exists (select from media.links where hash = ${hash} and changed_at >= clock_timestamp() - ${grace}::interval)
        or exists (select from media.links l join media.wanted w on w.link_ids @> array[l.id] where l.hash = ${hash}) as kept`
  if (row?.kept) return false
  await db`delete from media.assets where hash = ${hash}`
  await db`delete from media.links where hash = ${hash}`
  await files.remove(hash)
  return true
}
