/** Who belongs where: memberships as rows, and the events that tell of each that comes or goes. */
import { texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Meta } from '../../engine/event.ts'
import { type Appendable, appendWithin } from '../../engine/log.ts'
import type { Facts, Price } from './condition.ts'
import type { MembershipData } from './events.ts'
import { compiled, type Rule } from './rule.ts'

export const membershipEntity = (productId: string) => `membership/${productId}`

/** All of `Facts` that the product itself says; `offered` is the vendor's word, effective prices and stock have their own columns. */
export type KeptFacts = Omit<Facts, 'available'> & { offered: boolean }

/** A row of collections.products; JSON as text, to be parsed when a rule looks at it. */
export interface Kept {
  product_id: string
  live: boolean
  in_stock: boolean
  facts: string | KeptFacts
  effective: string | null
}

export function factsOf(row: Pick<Kept, 'facts' | 'effective' | 'in_stock'>): Facts {
  const facts = typeof row.facts === 'string' ? (JSON.parse(row.facts) as KeptFacts) : row.facts
  const price = row.effective === null ? facts.price : (JSON.parse(row.effective) as Price[])
  return { ...facts, price, available: facts.offered && row.in_stock }
}

/** A product that comes into a collection or leaves it. */
export interface Move {
  collectionId: string
  productId: string
  added: boolean
}

/** The definitions, compiled, as they were last read: read again only when one has changed. */
export class Rulebook {
  #revision = 0
  #collections: { id: string; picked: Set<string>; holds: ((facts: Facts) => boolean) | undefined }[] = []

  /**
   * Reads it, unchanged until the transaction ends as far as `alone` is concerned: an evaluation of a changed rule waits for those who
   * may still know the old one, and then looks at what they wrote. Otherwise a product and a rule that change together could miss each other.
   */
  async read(tx: Sql): Promise<void> {
    const [, [row]] = await Promise.all([
      tx`select pg_advisory_xact_lock_shared(hashtext('collections.rules'))`,
      tx<{ revision: number; collections: string | null }>`
        select revision,
               case when revision <> ${this.#revision} then (
                 select coalesce(json_agg(json_build_object('id', id, 'rule', rule, 'picks', picks) order by id), '[]')
                   from collections.collections where not deleted) end as collections
          from collections.rulebook`,
    ])
    if (!row?.collections) return
    const collections: { id: string; rule: Rule | null; picks: string[] }[] = JSON.parse(row.collections)
    this.#collections = collections.map(({ id, rule, picks }) => ({
      id,
      picked: new Set(picks),
      holds: rule === null ? undefined : compiled(rule),
    }))
    this.#revision = row.revision
  }

  get isEmpty(): boolean {
    return this.#collections.length === 0
  }

  /** The ids of all collections the product belongs to. */
  placesOf(product: Kept): Set<string> {
    if (!product.live) return new Set()
    const facts = factsOf(product)
    const places = this.#collections.filter(({ picked, holds }) => picked.has(product.product_id) || holds?.(facts))
    return new Set(places.map(({ id }) => id))
  }
}

/** Nobody decides by an older definition any more, nor begins to until the transaction ends. */
export const alone = (tx: Sql) => tx`select pg_advisory_xact_lock(hashtext('collections.rules'))`

/** What is to change for these products to be where they belong. Of a collection that was deleted the evaluator takes care. */
export async function movesOf(rulebook: Rulebook, products: Kept[], tx: Sql): Promise<Move[]> {
  if (products.length === 0 || rulebook.isEmpty) return []
  const ids = products.map((product) => product.product_id)
  const rows = await tx<{ collection_id: string; product_id: string }>`
    select collection_id, product_id from collections.members where product_id = any(${ids}::text[])`
  const now = Map.groupBy(rows, (row) => row.product_id)
  return products.flatMap((product) => {
    const productId = product.product_id
    const wanted = rulebook.placesOf(product)
    const is = new Set(now.get(productId)?.map((row) => row.collection_id))
    return [
      ...[...is.difference(wanted)].map((collectionId) => ({ collectionId, productId, added: false })),
      ...[...wanted.difference(is)].map((collectionId) => ({ collectionId, productId, added: true })),
    ]
  })
}

/** Writes the moves and tells them. Call it last: it ends with the append to the log. */
export async function move(moves: Move[], tx: Sql, metaOf: (productId: string) => Meta): Promise<void> {
  if (moves.length === 0) return
  const [added, removed] = [true, false].map((is) => moves.filter((one) => one.added === is)) as [Move[], Move[]]
  const byProduct = Map.groupBy(moves, (one) => one.productId)
  const [, , rows] = await Promise.all([
    removed.length > 0 &&
      tx`
        delete from collections.members m
         using unnest(${removed.map((one) => one.collectionId)}::text[], ${removed.map((one) => one.productId)}::text[]) as u (collection_id, product_id)
         where m.collection_id = u.collection_id and m.product_id = u.product_id`,
    added.length > 0 &&
      tx`
        insert into collections.members (collection_id, product_id)
        select * from unnest(${added.map((one) => one.collectionId)}::text[], ${added.map((one) => one.productId)}::text[])`,
    tx<{ product_id: string; told: number; collections: string[] }>`
      update collections.products p
         set told = p.told + u.moves
        from unnest(${[...byProduct.keys()]}::text[], ${[...byProduct.values()].map((of) => of.length)}::int[]) as u (product_id, moves)
       where p.product_id = u.product_id
      returning p.product_id, p.told, array(select collection_id from collections.members m where m.product_id = p.product_id order by 1) as collections`,
  ])
  const events = rows.flatMap((row) => told(row, byProduct.get(row.product_id) ?? [], metaOf(row.product_id)))
  await appendWithin(tx, events)
}

function told(
  after: { product_id: string; told: number; collections: string[] },
  moves: Move[],
  meta: Meta,
): Appendable[] {
  const { product_id: productId } = after
  const places = new Set(after.collections)
  for (const { collectionId, added } of moves) added ? places.delete(collectionId) : places.add(collectionId)
  return moves.map(({ collectionId, added }, n) => {
    added ? places.add(collectionId) : places.delete(collectionId)
    const data: MembershipData = { collectionId, productId, collections: [...places].sort() }
    return {
      type: added ? 'collection.product.added' : 'collection.product.removed',
      key: productId,
      entity: membershipEntity(productId),
      version: after.told - moves.length + n + 1,
      source: 'collections',
      data,
      meta,
    }
  })
}

/** Prices as one column: json texts, where the text `null` says that there are none. */
export const pricesColumn = (rows: (Price[] | null)[]) => texts(rows.map((prices) => JSON.stringify(prices)))
