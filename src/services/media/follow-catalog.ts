/**
 * Media follow products (A, MediaService): notes which links each wants, and is done with a product when all of them have become something. That
 * is the collector's work; no transaction waits for it, the sync status does.
 */
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { beginWork } from '../../engine/unfinished.ts'
import { GiveUp, KeysFailed } from '../../engine/verdict.ts'
import type { Product } from '../catalog/events.ts'
import { type Link, linkTo } from './link.ts'

export const CONSUMER = 'media'
/** A failed link that another product names, or the same one anew, is tried again when it failed so long ago. */
const FRESH_FAILURE = '1 minute'

/** `lookAgainS`: what a link led to so many seconds ago is looked at again when a product names it again. */
export function mediaFollowCatalog(wanted: () => void, lookAgainS: number): Projection {
  return projection({
    name: CONSUMER,
    on: ['product.*'],
    async apply(changes, tx) {
      await follow(changes, tx, lookAgainS)
      wanted()
    },
    async reset(tx) {
      await Promise.all([
        tx`truncate media.wanted, media.untold`,
        tx`delete from lockstep.unfinished where consumer = ${CONSUMER}`,
      ])
    },
  })
}

interface Wanted {
  productId: string
  version: number
  position: number
  /** As json. */
  links: string
  urls: string[]
}

interface Known {
  product_id: string
  version: number
  links: string
  /** Of those alone that failed. */
  link_ids: string[] | null
  failed: boolean
  aged: boolean
}

function wantedOf({ type, key, version, position, data }: LoggedEvent): Wanted {
  const media = type === 'product.deleted' ? [] : (data.product as Product).media
  return { productId: key, version, position, links: JSON.stringify(media), urls: media.map(({ url }) => url) }
}

/** A change that leaves the links alone writes nothing until they are old: the version noted is that of the last one that did not. */
async function follow(changes: LoggedEvent[], tx: Sql, lookAgainS: number): Promise<void> {
  const all = changes.map(wantedOf)
  const rows = await tx<Known>`
    select product_id, version, links, case when failed then link_ids end as link_ids, failed,
           seen_at < clock_timestamp() - ${lookAgainS} * interval '1 s' as aged
      from media.wanted
     where product_id = any(${all.map(({ productId }) => productId)}::text[])`
  const known = new Map(rows.map((row) => [row.product_id, row]))
  const current = all.filter(({ productId, version }) => version >= (known.get(productId)?.version ?? 0))
  const unchanged = ({ productId, links }: Wanted) => links === (known.get(productId)?.links ?? '[]')
  const failed = current.filter((each) => unchanged(each) && known.get(each.productId)?.failed)
  if (failed.length > 0) await failOrRetry(tx, failed, known)
  const changed = current.filter((each) => !unchanged(each))
  await want(tx, changed)
  const aged = current.filter((each) => unchanged(each) && each.urls.length > 0 && known.get(each.productId)?.aged)
  const again = [...changed, ...aged].map(({ productId }) => productId)
  if (again.length > 0) await lookAgain(tx, again, lookAgainS)
}

/** Products' links are to be looked at again that were so many seconds ago. Answers how many. */
export async function lookAgain(tx: Sql, products: string[], olderThanS: number): Promise<number> {
  const [, { count }] = await Promise.all([
    tx`update media.wanted set seen_at = clock_timestamp() where product_id = any(${products}::text[])`,
    tx`
      update media.links
         set again = true, attempts = 0, due_at = clock_timestamp()
       where id in (select id from media.links
                     where id = any(array(select unnest(link_ids) from media.wanted where product_id = any(${products}::text[])))
                       and state = 'ready' and not again and host <> '' and looked_at <= clock_timestamp() - ${olderThanS} * interval '1 s'
                     order by id
                       for update)`,
  ])
  return count
}

/** What failed stays failed when something else of the product changes; tried again by somebody, its links are tried again. */
async function failOrRetry(tx: Sql, failed: Wanted[], known: Map<string, Known>): Promise<void> {
  const rows = await tx<{ key: string }>`
    select f.key
      from lockstep.failures f
      join unnest(${failed.map(({ productId }) => productId)}::text[], ${failed.map(({ position }) => position)}::bigint[]) as v (key, position)
        on f.key = v.key and f.position = v.position
     where f.consumer = ${CONSUMER} and f.state = 'retrying' and f.error_class = 'GiveUp'`
  const asked = new Set(rows.map(({ key }) => key))
  const { again = [], standing = [] } = Object.groupBy(failed, ({ productId }) =>
    asked.has(productId) ? 'again' : 'standing',
  )
  if (standing.length > 0) throw new KeysFailed(await reasons(tx, standing))
  await Promise.all([
    tx`update media.wanted set failed = false where product_id = any(${again.map(({ productId }) => productId)}::text[])`,
    tx`update media.links
          set state = 'wanted', attempts = 0, due_at = clock_timestamp(), changed_at = clock_timestamp()
        where state = 'failed' and id = any(${again.flatMap(({ productId }) => known.get(productId)?.link_ids ?? [])}::text[])`,
    beginWork(tx, CONSUMER, begun(again)),
  ])
}

const begun = (rows: Wanted[]) => rows.map(({ productId, position }) => ({ key: productId, position }))

async function reasons(tx: Sql, rows: Wanted[]): Promise<Map<string, Error>> {
  const links = await tx<{ product_id: string; url: string; failure: string }>`
    select w.product_id, l.url, l.failure
      from media.wanted w join media.links l on l.id = any(w.link_ids)
     where w.product_id = any(${rows.map(({ productId }) => productId)}::text[]) and l.state = 'failed'
     order by array_position(w.link_ids, l.id)`
  const byProduct = Map.groupBy(links, (link) => link.product_id)
  return new Map(
    rows.map(({ productId }) => {
      const said = (byProduct.get(productId) ?? []).map(({ url, failure }) => `${url}: ${failure}`)
      return [productId, new GiveUp(said.slice(0, 10).join('; ') || 'its media could not be made')]
    }),
  )
}

/** Notes what is wanted, and who is to be told of at once since all of it is there. */
async function want(tx: Sql, rows: Wanted[]): Promise<void> {
  if (rows.length === 0) return
  const links = new Map(rows.flatMap(({ urls }) => urls).map((url) => [url, linkTo(url)]))
  const idsOf = ({ urls }: Wanted) => [...new Set(urls.map((url) => (links.get(url) as Link).id))]
  // In one order, so that two parts of a batch do not wait for each other's.
  const sorted = [...links.values()].sort((a, b) => (a.id < b.id ? -1 : 1))
  const ids = sorted.map(({ id }) => id)
  const products = rows.map(({ productId }) => productId)
  const [, , , states] = await Promise.all([
    tx`
      insert into media.wanted as w (product_id, version, links, link_ids)
      select product_id, version, links, array(select json_array_elements_text(link_ids::json))
        from unnest(${products}::text[], ${rows.map(({ version }) => version)}::bigint[], ${rows.map(({ links }) => links)}::text[],
                    ${rows.map((row) => JSON.stringify(idsOf(row)))}::text[]) as v (product_id, version, links, link_ids)
      on conflict (product_id) do update
         set version = excluded.version, links = excluded.links, link_ids = excluded.link_ids, failed = false
       where w.version <= excluded.version`,
    tx`
      insert into media.links (id, url, host)
      select id, url, host
        from unnest(${ids}::text[], ${sorted.map(({ url }) => url)}::text[], ${sorted.map(({ host }) => host)}::text[]) as v (id, url, host)
      on conflict do nothing`,
    tx`
      update media.links
         set state = 'wanted', attempts = 0, due_at = clock_timestamp(), changed_at = clock_timestamp()
       where state = 'failed' and id = any(${ids}::text[]) and changed_at < clock_timestamp() - ${FRESH_FAILURE}::interval`,
    // Against a link that becomes ready in this moment: it waits for us and then looks for its products, or we see it ready.
    tx<{
      id: string
      state: string
    }>`select id, state from media.links where id = any(${ids}::text[]) order by id for share`,
    beginWork(tx, CONSUMER, begun(rows)),
    tx`delete from media.untold where product_id = any(${products}::text[])`,
  ])
  const open = new Set(states.flatMap(({ id, state }) => (state === 'wanted' ? id : [])))
  const complete = rows.filter((row) => idsOf(row).every((id) => !open.has(id)))
  if (complete.length > 0)
    await tx`insert into media.untold (product_id) select unnest(${complete.map(({ productId }) => productId)}::text[])`
}
