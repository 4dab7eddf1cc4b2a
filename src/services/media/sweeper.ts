/** Removes what no product shows any more, after a time of grace: links, what was made of them, and their files. */
import type { Database } from '../../engine/database.ts'
import { alone } from './assets.ts'
import type { MediaFiles } from './files.ts'

/** An image that was taken off a product by mistake is still there for so long. */
const GRACE = '7 days'
/** Nothing is worked at for so long. */
const DRAFTS_MS = 3_600_000
const PAGE = 500

/** Answers of how much content it removed the files. `grace` is an interval of Postgres. */
export async function sweep(db: Database, files: MediaFiles, grace = GRACE): Promise<number> {
  await files.removeDrafts(DRAFTS_MS)
  await db`
    delete from media.links
     where id in (select id from media.links l
                   where changed_at < clock_timestamp() - ${grace}::interval
                     and not exists (select from media.wanted w where w.link_ids @> array[l.id])
                     for update skip locked)`
  await db`
    update media.assets a
       set unused_since = case when shown then null else clock_timestamp() end
      from (select hash, exists (select from media.links l join media.wanted w on w.link_ids @> array[l.id] where l.hash = b.hash) as shown
              from media.assets b) s
     where s.hash = a.hash and shown <> (unused_since is null)`
  return (await removeUnused(db, files, grace)) + (await removeUnknown(db, files))
}

async function removeUnused(db: Database, files: MediaFiles, grace: string): Promise<number> {
  const unused = await db<{ hash: string }>`
    select hash from media.assets where unused_since < clock_timestamp() - ${grace}::interval limit ${PAGE}`
  for (const { hash } of unused) {
    await alone(db, hash, async () => {
      const { count } = await db`
        delete from media.assets
         where hash = ${hash} and unused_since < clock_timestamp() - ${grace}::interval
           and not exists (select from media.links l join media.wanted w on w.link_ids @> array[l.id] where l.hash = ${hash})`
      if (count === 0) return
      await db`delete from media.links where hash = ${hash}`
      await files.remove(hash)
    })
  }
  return unused.length
}

/** Uploads that nothing came of. Looked at page by page, since there may be many files. */
async function removeUnknown(db: Database, files: MediaFiles): Promise<number> {
  let removed = 0
  const look = async (hashes: string[]) => {
    const unknown = await db<{ hash: string }>`
      select hash from unnest(${hashes}::text[]) as f (hash)
       where not exists (select from media.assets a where a.hash = f.hash)
         and not exists (select from media.links l where l.hash = f.hash)`
    for (const { hash } of unknown) {
      await alone(db, hash, async () => {
        const [row] = await db<{ known: boolean }>`
          select exists (select from media.assets where hash = ${hash}) or exists (select from media.links where hash = ${hash}) as known`
        if (row?.known) return
        await files.remove(hash)
        removed++
      })
    }
  }
  let page: string[] = []
  for await (const hash of files.hashes()) {
    page.push(hash)
    if (page.length < PAGE) continue
    await look(page)
    page = []
  }
  await look(page)
  return removed
}
