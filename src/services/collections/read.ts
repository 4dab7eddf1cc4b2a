/** What can be read of collections: definitions with how far they are evaluated, their products in order, and why a product is in or out. */
import type { Sql } from '../../engine/database.ts'
import { notFound } from '../../engine/http.ts'
import type { Sort } from './decider.ts'
import { factsOf, type Kept } from './membership.ts'
import { type Reason, type Rule, reason } from './rule.ts'
import type { CollectionRow } from './store.ts'

export interface Collection {
  id: string
  version: number
  kind: 'rule' | 'manual'
  title: string
  description: string
  rule?: Rule
  sort: Sort
  productIds: string[]
  /** Only while products are being looked at for a changed definition. */
  evaluating?: { done: number; total: number }
  createdAt: string
  updatedAt: string
}

type Row = CollectionRow & { done: number | null; total: number }

const columns = `
  select c.*, e.done, coalesce(e.total, cardinality(e.scope), (select count(*) from collections.products)) as total
    from collections.collections c
    left join collections.evaluations e on e.collection_id = c.id
   where not c.deleted`

const collectionOf = (row: Row): Collection => ({
  id: row.id,
  version: row.version,
  kind: row.rule === null ? 'manual' : 'rule',
  title: row.title,
  description: row.description,
  ...(row.rule !== null && { rule: row.rule }),
  sort: row.sort,
  productIds: row.picks,
  ...(row.done !== null && { evaluating: { done: row.done, total: row.total } }),
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
})

export async function readCollection(db: Sql, id: string): Promise<Collection> {
  const [row] = await db.text<Row>(`${columns} and c.id = $1`, [id])
  if (!row) throw notFound('collection', id)
  return collectionOf(row)
}

export async function listCollections(db: Sql, after: string, limit: number): Promise<Collection[]> {
  const rows = await db.text<Row>(`${columns} and c.id > $1 order by c.id limit $2`, [after, limit])
  return rows.map(collectionOf)
}

export interface Member {
  product_id: string
  title: string
  /** Its place among the picked or pinned, from 1; those without one come behind all. */
  pin: number
  sort_key: string | number
}

export type Place = [pin: number, key: string | number, id: string]

/** By what each order sorts, and which way; equal ones by id. A product without a price comes last. */
const orders: Record<Sort, { key: string; type: string; descending?: true }> = {
  manual: { key: `''`, type: 'text' },
  'title-asc': { key: `lower(p.title)`, type: 'text' },
  'title-desc': { key: `lower(p.title)`, type: 'text', descending: true },
  'price-asc': { key: 'coalesce(p.price_min, 9007199254740991)', type: 'bigint' },
  'price-desc': { key: 'coalesce(p.price_min, -1)', type: 'bigint', descending: true },
  newest: { key: '(extract(epoch from p.created_at) * 1000)::bigint', type: 'bigint', descending: true },
  oldest: { key: '(extract(epoch from p.created_at) * 1000)::bigint', type: 'bigint' },
}
const behindAll = 2_147_483_647

/** Its products from behind a place: pins of a rule collection first, in their order, then as sorted; a manual one's sort is that of its picks. */
export function productsOf(db: Sql, collection: Collection, sort: Sort, after: Place | undefined, limit: number) {
  const { key, type, descending } = orders[sort]
  // Picks count as places where their order is asked for, and where they are pinned above a rule's products.
  const pinned = collection.kind === 'rule' || sort === 'manual'
  const values: unknown[] = [collection.id, limit, pinned ? collection.productIds : []]
  const bind = (value: unknown) => `$${values.push(value)}`
  const behind = ([pin, at, id]: Place) => {
    const [p, k, i] = [`${bind(pin)}::int`, `${bind(at)}::${type}`, `${bind(id)}::text`]
    return `where pin > ${p} or pin = ${p} and (sort_key ${descending ? '<' : '>'} ${k} or sort_key = ${k} and product_id > ${i})`
  }
  return db.text<Member>(
    `select * from (
       select m.product_id, p.title, coalesce(k.pin, ${behindAll})::int as pin, ${key} as sort_key
         from collections.members m
         join collections.products p using (product_id)
         left join unnest($3::text[]) with ordinality as k (product_id, pin) using (product_id)
        where m.collection_id = $1
     ) as members ${after ? behind(after) : ''}
     order by pin, sort_key ${descending ? 'desc' : 'asc'}, product_id
     limit $2`,
    values,
  )
}

export const placeOf = (last: Member): Place => [last.pin, last.sort_key, last.product_id]
export const isPinned = ({ pin }: Member) => pin !== behindAll

/** The collections a product is in, by id. */
export function collectionsOf(db: Sql, productId: string) {
  return db<{ id: string; title: string; kind: 'rule' | 'manual'; picked: boolean }>`
    select c.id, c.title, case when c.rule is null then 'manual' else 'rule' end as kind, m.product_id = any(c.picks) as picked
      from collections.members m join collections.collections c on c.id = m.collection_id and not c.deleted
     where m.product_id = ${productId}
     order by c.id`
}

export interface Explanation {
  collectionId: string
  productId: string
  /** Is it in now? It may differ from `belongs` while the collection is evaluated. */
  member: boolean
  belongs: boolean
  /** Active and not deleted: nothing else is in a collection. */
  active: boolean
  picked: boolean
  /** What each part of the rule says of it; absent for a collection picked by hand. */
  rule?: Reason
}

export async function explain(db: Sql, collectionId: string, productId: string): Promise<Explanation> {
  const [collection, [product]] = await Promise.all([
    readCollection(db, collectionId),
    db<Kept & { member: boolean }>`
      select p.product_id, p.live, p.in_stock, p.facts, p.effective, m.product_id is not null as member
        from collections.products p
        left join collections.members m on m.product_id = p.product_id and m.collection_id = ${collectionId}
       where p.product_id = ${productId}`,
  ])
  if (!product) throw notFound('product', productId)
  const picked = collection.productIds.includes(productId)
  const rule = collection.rule && reason(factsOf(product), collection.rule)
  const belongs = product.live && (picked || rule?.holds === true)
  return {
    collectionId,
    productId,
    member: product.member,
    belongs,
    active: product.live,
    picked,
    ...(rule && { rule }),
  }
}
