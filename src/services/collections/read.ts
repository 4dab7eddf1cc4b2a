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

/** Products in an order, or a part of them. */
interface Order {
  /** What an index is made of, word for word; by id alone when absent. */
  key?: string
  descending?: true
  /** The key as a cursor carries it, and back from there. */
  told: string
  back(bound: string): string
  /** What they have in common. */
  where?: string
}
const bigint = (bound: string) => `${bound}::bigint`
const text = (bound: string) => `${bound}::text`
const title = { key: 'lower(p.title)', told: 'lower(p.title)', back: text }
const created = {
  key: 'p.created_at',
  told: '(extract(epoch from p.created_at) * 1000)::bigint',
  back: (bound: string) => `timestamptz 'epoch' + ${bound}::bigint * interval '1 ms'`,
}
const price = { key: 's.price_min', told: 's.price_min', back: bigint, where: 's.price_min is not null' }
/** As a cursor carries it, where no price is. */
const noPrice = -1
const priceless = { told: String(noPrice), back: bigint, where: 's.price_min is null' }

/** By what each order sorts, and which way, one part behind the other; equal ones by id, the same way. A product without a price comes last. */
const orders: Record<Sort, Order[]> = {
  manual: [{ told: `''`, back: text }],
  'title-asc': [title],
  'title-desc': [{ ...title, descending: true }],
  'price-asc': [price, priceless],
  'price-desc': [
    { ...price, descending: true },
    { ...priceless, descending: true },
  ],
  newest: [{ ...created, descending: true }],
  oldest: [created],
}
const behindAll = 2_147_483_647

/** Its products from behind a place: pins of a rule collection first, in their order, then as sorted; a manual one's sort is that of its picks. */
export async function productsOf(
  db: Sql,
  collection: Collection,
  sort: Sort,
  after: Place | undefined,
  limit: number,
): Promise<Member[]> {
  // Picks count as places where their order is asked for, and where they are pinned above a rule's products.
  const pins = collection.kind === 'rule' || sort === 'manual' ? collection.productIds : []
  const behindPins = after?.[0] === behindAll
  const pinned = behindPins || pins.length === 0 ? [] : await pinnedOf(db, collection.id, pins, after?.[0] ?? 0, limit)
  if (pinned.length === limit) return pinned
  const found = [...pinned]
  const parts = orders[sort]
  const from = behindPins ? after : undefined
  for (const part of from?.[1] === noPrice ? parts.slice(-1) : parts) {
    const behind = part === parts[0] || from?.[1] === noPrice ? from : undefined
    found.push(...(await sortedOf(db, collection.id, pins, part, behind, limit - found.length)))
    if (found.length === limit) break
  }
  return found
}

const pinnedOf = (db: Sql, id: string, pins: string[], after: number, limit: number) => db<Member>`
  select m.product_id, p.title, k.pin::int as pin, '' as sort_key
    from unnest(${pins}::text[]) with ordinality as k (product_id, pin)
    join collections.members m on m.product_id = k.product_id and m.collection_id = ${id}
    join collections.products p on p.product_id = k.product_id
   where k.pin > ${after}
   order by k.pin
   limit ${limit}`

/** Every order but that by id alone walks an index over all products; of a collection with few of them Postgres sorts these instead. */
function sortedOf(db: Sql, id: string, pins: string[], order: Order, after: Place | undefined, limit: number) {
  const { key, told, descending, back, where } = order
  const values: unknown[] = [id, limit, pins]
  const bind = (value: unknown) => `$${values.push(value)}`
  const place = (...parts: (string | false | undefined)[]) => `(${parts.filter(Boolean).join(', ')})`
  const productId = key === undefined ? 'm.product_id' : `${key.startsWith('s.') ? 's' : 'p'}.product_id`
  const behind =
    after &&
    `and ${place(key, productId)} ${descending ? '<' : '>'} ${place(key !== undefined && back(bind(after[1])), text(bind(after[2])))}`
  const way = descending ? 'desc' : 'asc'
  // Said of what an index holds nulls first or last of: without, it could not be walked backwards.
  const nulls = key === price.key && descending ? ' nulls first' : ''
  return db.text<Member>(
    `select m.product_id, p.title, ${behindAll} as pin, ${told} as sort_key
       from collections.members m
       join collections.products p using (product_id)
       ${where === undefined ? '' : 'join collections.standings s using (product_id)'}
      where m.collection_id = $1 and m.product_id <> all($3::text[]) ${where === undefined ? '' : `and ${where}`} ${behind ?? ''}
      order by ${key === undefined ? '' : `${key} ${way}${nulls}, `}${productId} ${way}
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
      select p.product_id, p.live, s.in_stock, p.facts, s.effective, m.product_id is not null as member
        from collections.products p
        join collections.standings s using (product_id)
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
