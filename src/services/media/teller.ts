/** Tells of products whose media are all there: `media.updated`, then they are done, or handed back to be failures. */
import type { Database, Sql } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import { finishWork, handBack } from '../../engine/unfinished.ts'
import type { MediaCommand } from './decider.ts'
import type { Asset, ProductMedia } from './events.ts'
import { CONSUMER } from './follow-catalog.ts'
import { linkTo } from './link.ts'

/** Products told of in one go. */
const PAGE = 200

interface Untold {
  product_id: string
  stamp: number
  links: string
}
interface Settled {
  id: string
  state: 'wanted' | 'ready' | 'failed'
  failure: string | null
  asset: string | null
}

export class Teller {
  readonly #db: Database
  readonly #execute: Executor<MediaCommand>['execute']

  constructor(db: Database, execute: Executor<MediaCommand>['execute']) {
    this.#db = db
    this.#execute = execute
  }

  /** Answers of how many products it told. Right when it is done twice, or by two at once: what was seen later counts. */
  async runOnce(): Promise<number> {
    const untold = await this.#db<Untold>`
      select u.product_id, u.stamp, w.links
        from media.untold u join media.wanted w using (product_id)
       order by u.stamp
       limit ${PAGE}`
    if (untold.length === 0) return 0
    const products = untold.map((row) => ({ ...row, media: JSON.parse(row.links) as { url: string; alt?: string }[] }))
    const links = await this.#settled(products.flatMap(({ media }) => media.map(({ url }) => url)))
    const told = await Promise.all(
      products.map(async ({ product_id: productId, stamp, media }) => {
        const all = media.map(({ url, alt }) => productMedia(url, alt, links.get(linkTo(url).id)))
        const open = all.some(({ asset, failure }) => !asset && failure === undefined)
        if (!open) await this.#execute({ type: 'tell', productId, stamp, media: all }, { actor: 'media' })
        return { productId, stamp, open, failed: all.some(({ failure }) => failure !== undefined) }
      }),
    )
    await this.#db.begin((tx) => settle(tx, told))
    return told.length
  }

  /** Finds who would wait for ever, since a process died between a link's becoming something and the note of whom to tell. */
  async recover(): Promise<void> {
    await this.#db`
      insert into media.untold (product_id)
      select w.product_id
        from lockstep.unfinished u join media.wanted w on w.product_id = u.key
       where u.consumer = ${CONSUMER}
         and not exists (select from media.links l where l.id = any(w.link_ids) and l.state = 'wanted')
      on conflict do nothing`
  }

  /** A link that was swept away in the moment it was named is made anew. */
  async #settled(urls: string[]): Promise<Map<string, Settled>> {
    const wanted = new Map(urls.map((url) => [linkTo(url).id, linkTo(url)]))
    const rows = await this.#db<Settled>`
      select l.id, l.state, l.failure, a.asset
        from media.links l left join media.assets a on a.hash = l.hash
       where l.id = any(${[...wanted.keys()]}::text[])`
    const found = new Map(rows.map((row) => [row.id, row]))
    const missing = [...wanted.values()].filter(({ id }) => !found.has(id))
    if (missing.length > 0) {
      await this.#db`
        insert into media.links (id, url, host)
        select id, url, host
          from unnest(${missing.map(({ id }) => id)}::text[], ${missing.map(({ url }) => url)}::text[], ${missing.map(({ host }) => host)}::text[])
               as v (id, url, host)
        on conflict do nothing`
    }
    return found
  }
}

function productMedia(source: string, alt: string | undefined, link: Settled | undefined): ProductMedia {
  const named = { source, ...(alt !== undefined && { alt }) }
  if (link?.state === 'ready' && link.asset) return { ...named, asset: JSON.parse(link.asset) as Asset }
  if (link?.state === 'failed') return { ...named, failure: link.failure ?? 'unknown' }
  return named
}

/** Only where nothing has happened since: what has is told of again. */
async function settle(
  tx: Sql,
  told: { productId: string; stamp: number; open: boolean; failed: boolean }[],
): Promise<void> {
  const rows = await tx<{ product_id: string }>`
    delete from media.untold u
     using unnest(${told.map(({ productId }) => productId)}::text[], ${told.map(({ stamp }) => stamp)}::bigint[]) as v (product_id, stamp)
     where u.product_id = v.product_id and u.stamp = v.stamp
    returning u.product_id`
  const last = new Set(rows.map((row) => row.product_id))
  const settled = told.filter(({ productId, open }) => last.has(productId) && !open)
  const idsOf = (failed: boolean) => settled.filter((each) => each.failed === failed).map(({ productId }) => productId)
  const [good, bad] = [idsOf(false), idsOf(true)]
  await Promise.all([
    tx`update media.wanted set failed = product_id = any(${bad}::text[])
        where product_id = any(${[...good, ...bad]}::text[]) and failed <> (product_id = any(${bad}::text[]))`,
    finishWork(tx, CONSUMER, good),
    handBack(tx, CONSUMER, bad),
  ])
}
