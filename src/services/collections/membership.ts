/** Who belongs where: memberships as rows, and the events that tell of each that comes or goes. */
import { texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Meta } from '../../engine/event.ts'
import { type Appendable, appendWithin } from '../../engine/log.ts'
import type { Facts, Price } from './condition.ts'
import type { MembershipData } from './events.ts'
import { compiled, fieldsOf, type Rule } from './rule.ts'

export const membershipEntity = (productId: string) => `membership/${productId}`

/** All of `Facts` that the product itself says; `offered` is the vendor's word, effective prices and stock have their own columns. */
export type KeptFacts = Omit<Facts, 'available'> & { offered: boolean }

/** What rules ask of a product, of collections.products and collections.standings; JSON as text, to be parsed when a rule looks at it. */
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

interface Definition {
  id: string
  picked: Set<string>
  holds?: (facts: Facts) => boolean
  /** The fields that its rule asks about. */
  asks: Set<string>
}

/** The definitions, compiled, as they were last read: read again only when one has changed. */
export class Rulebook {
  #revision = 0
  #collections: Definition[] = []

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
      ...(rule !== null && { holds: compiled(rule) }),
      asks: new Set(rule === null ? [] : fieldsOf(rule)),
    }))
    this.#revision = row.revision
  }

  get isEmpty(): boolean {
    return this.#collections.length === 0
  }

  /** Those that a product may come into or leave when no more than this of it changed. */
  asking(field: 'price' | 'available'): Definition[] {
    return this.#collections.filter(({ asks }) => asks.has(field))
  }

  get all(): readonly Definition[] {
    return this.#collections
  }
}

/** The ids of those of the collections that the product belongs to. */
function placesOf(product: Kept, collections: Iterable<Definition>): Set<string> {
  const places = new Set<string>()
  if (!product.live) return places
  const facts = factsOf(product)
  for (const { id, picked, holds } of collections) if (picked.has(product.product_id) || holds?.(facts)) places.add(id)
  return places
}

/** Nobody decides by an older definition any more, nor begins to until the transaction ends. */
export const alone = (tx: Sql) => tx`select pg_advisory_xact_lock(hashtext('collections.rules'))`

/** Ids of products, by what changed of them; the facts of those that were written are at hand. */
export interface Changed {
  written: ReadonlyMap<string, KeptFacts>
  priced: string[]
  flipped: string[]
}

/**
 * What is to change for these products to be where they belong. Of what has a new price or came into stock nothing is read unless a rule asks about
 * that. Of a collection that was deleted the evaluator takes care.
 */
export async function movesOf(rulebook: Rulebook, { written, priced, flipped }: Changed, tx: Sql): Promise<Move[]> {
  if (rulebook.isEmpty) return []
  const concerned = new Map<string, Set<Definition>>()
  for (const [ids, definitions] of [
    [priced, rulebook.asking('price')],
    [flipped, rulebook.asking('available')],
  ] as const)
    if (definitions.length > 0)
      for (const id of ids) concerned.set(id, new Set([...(concerned.get(id) ?? []), ...definitions]))
  const ids = [...new Set([...written.keys(), ...concerned.keys()])]
  if (ids.length === 0) return []
  const [rows, members] = await Promise.all([
    tx<Kept>`
      select p.product_id, p.live, s.in_stock, s.effective, case when p.product_id <> all(${[...written.keys()]}::text[]) then p.facts end as facts
        from collections.products p join collections.standings s using (product_id)
       where p.product_id = any(${ids}::text[])`,
    tx<{ collection_id: string; product_id: string }>`
      select collection_id, product_id from collections.members where product_id = any(${ids}::text[])`,
  ])
  const now = Map.groupBy(members, (row) => row.product_id)
  return rows.flatMap((row) => {
    const productId = row.product_id
    const facts = written.get(productId)
    const only = facts ? undefined : concerned.get(productId)
    const wanted = placesOf(facts ? { ...row, facts } : row, only ?? rulebook.all)
    const inside = now.get(productId)?.map((each) => each.collection_id) ?? []
    const asking = only && new Set([...only].map(({ id }) => id))
    const is = new Set(asking ? inside.filter((id) => asking.has(id)) : inside)
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
      update collections.standings p
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
