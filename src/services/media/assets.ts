/** What was made of content: kept once for all who show it, under a lock that whoever removes it takes too. */
import type { Database, Sql } from '../../engine/database.ts'
import type { Taken } from './content.ts'
import type { Asset } from './events.ts'
import { publicUrl } from './link.ts'
import { RECIPE } from './recipe.ts'
import type { Made } from './workshop.ts'

export function assetOf({ hash, kind, contentType, bytes }: Taken, made: Made): Asset {
  const url = publicUrl(hash)
  const { width, height } = made
  const common = { hash, kind, url, contentType, bytes, width, height }
  if ('video' in made) return { ...common, renditions: [], video: made.video }
  const renditions = made.renditions.map((each) => ({ ...each, url: `${url}/${each.name}` }))
  return { ...common, contentType: made.contentType, renditions, ...(made.animation && { animation: made.animation }) }
}

/** What can be shown: made by the recipe of now, or by an earlier one until it is made anew. */
export async function shownAsset(sql: Sql, hash: string): Promise<{ recipe: number; asset: Asset } | undefined> {
  const [row] = await sql<{ recipe: number; asset: string }>`
    select recipe, asset from media.assets where hash = ${hash}`
  return row && { recipe: row.recipe, asset: JSON.parse(row.asset) as Asset }
}

/** Made by the recipe of now; undefined otherwise. */
export async function readAsset(sql: Sql, hash: string): Promise<Asset | undefined> {
  const [row] = await sql<{ asset: string }>`select asset from media.assets where hash = ${hash} and recipe = ${RECIPE}`
  return row && (JSON.parse(row.asset) as Asset)
}

export async function saveAsset(sql: Sql, asset: Asset): Promise<void> {
  await sql`
    insert into media.assets (hash, recipe, asset)
    values (${asset.hash}, ${RECIPE}, ${JSON.stringify(asset)}::json)
    on conflict (hash) do update set recipe = excluded.recipe, asset = excluded.asset, unused_since = null`
}

/** Nobody else keeps or removes files of this content meanwhile. The lock is the session's: no transaction is open while files are written. */
export async function alone<Result>(db: Database, hash: string, work: () => Promise<Result>): Promise<Result> {
  const session = await db.reserve()
  try {
    await session`select pg_advisory_lock(hashtextextended('lockstep media ' || ${hash}, 0))`
    const result = await work()
    await session`select pg_advisory_unlock(hashtextextended('lockstep media ' || ${hash}, 0))`
    session.release()
    return result
  } catch (error) {
    session.release(error) // its lock ends with it
    throw error
  }
}
