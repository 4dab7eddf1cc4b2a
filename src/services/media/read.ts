/** Reading media: what became of a product's links, and what a product is that media are to be added to. */
import type { Sql } from '../../engine/database.ts'
import { latestOfKeys } from '../../engine/log.ts'
import type { Media, Product } from '../catalog/events.ts'
import type { Asset } from './events.ts'
import { linkTo, uploadOf } from './link.ts'

export interface MediaNow {
  source: string
  alt?: string
  state: 'pending' | 'ready' | 'failed'
  /** Of the link: tries that failed so far. */
  attempts: number
  asset?: Asset
  /** When it was last known what it leads to. */
  lookedAt?: string
  /** Why the last try failed; one that is ready shows what it was. */
  failure?: string
}

export interface Known {
  entity: string
  version: number
  media: Media[]
}

/** The product as its last event tells it; undefined if there is none, or none any more. */
export async function productOf(sql: Sql, productId: string): Promise<Known | undefined> {
  const [last] = await latestOfKeys(sql, [productId], Number.MAX_SAFE_INTEGER, ['product.%'])
  if (!last || last.type === 'product.deleted') return undefined
  return { entity: last.entity, version: last.version, media: (last.data.product as Product).media }
}

export async function mediaOf(sql: Sql, media: Media[]): Promise<MediaNow[]> {
  type Row = {
    id: string
    state: 'wanted' | 'ready' | 'failed'
    attempts: number
    failure: string | null
    looked_at: Date | null
    asset: string | null
  }
  const rows = await sql<Row>`
    select l.id, l.state, l.attempts, l.failure, l.looked_at, a.asset
      from media.links l left join media.assets a on a.hash = l.hash
     where l.id = any(${media.map(({ url }) => linkTo(url).id)}::text[])`
  const links = new Map(rows.map((row) => [row.id, row]))
  return media.map(({ url, alt }) => {
    const link = links.get(linkTo(url).id)
    return {
      source: url,
      ...(alt !== undefined && { alt }),
      state: !link || link.state === 'wanted' ? 'pending' : link.state,
      attempts: link?.attempts ?? 0,
      ...(link?.state === 'ready' && link.asset && { asset: JSON.parse(link.asset) as Asset }),
      ...(link?.looked_at && { lookedAt: link.looked_at.toISOString() }),
      ...(link?.failure && { failure: link.failure }),
    }
  })
}

/** Those that show other content than this, by whatever link. */
export async function without(sql: Sql, media: Media[], hash: string): Promise<Media[]> {
  const rows = await sql<{ url: string }>`
    select url from media.links where hash = ${hash} and id = any(${media.map(({ url }) => linkTo(url).id)}::text[])`
  const shown = new Set(rows.map(({ url }) => url))
  return media.filter(({ url }) => uploadOf(url) !== hash && !shown.has(url))
}
