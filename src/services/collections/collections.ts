/** Collections as their keepers see them: made, changed, read. */
import type { Database, Sql } from '../../engine/database.ts'
import { Rejected } from '../../engine/decider.ts'
import { invalidRequest, notFound } from '../../engine/http.ts'
import { changeRules, evaluateAll } from './membership.ts'
import type { Rule } from './rule.ts'

export interface Collection {
  id: string
  version: number
  kind: 'rule' | 'manual'
  title: string
  description: string
  rule?: Rule
  productIds?: string[]
  createdAt: string
  updatedAt: string
}

/** A rule makes it a rule collection, product ids one picked by hand; never both. */
export interface CollectionFields {
  title?: string
  description?: string
  rule?: Rule
  productIds?: string[]
}

const columns = `
  c.id, c.version, c.title, c.description, c.rule, c.created_at, c.updated_at,
  case when c.rule is null then
    coalesce((select array_agg(p.product_id order by p.position) from collections.picks p where p.collection_id = c.id), '{}') end as picked`

// biome-ignore lint/suspicious/noExplicitAny: a row as `columns` selects it
const collectionOf = (row: any): Collection => ({
  id: row.id,
  version: row.version,
  kind: row.rule === null ? 'manual' : 'rule',
  title: row.title,
  description: row.description,
  ...(row.rule === null ? { productIds: row.picked } : { rule: row.rule }),
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
})

export async function readCollection(db: Sql, id: string): Promise<Collection> {
  const [row] = await db.text(`select ${columns} from collections.collections c where c.id = $1`, [id])
  if (!row) throw notFound('collection', id)
  return collectionOf(row)
}

export async function listCollections(db: Sql, after: string, limit: number): Promise<Collection[]> {
  const rows = await db.text(
    `select ${columns} from collections.collections c where c.id > $1 order by c.id limit $2`,
    [after, limit],
  )
  return rows.map(collectionOf)
}

/** A taken id is rejected as `already-exists`. */
export function createCollection(
  db: Database,
  id: string,
  fields: CollectionFields & { title: string },
): Promise<Collection> {
  const { title, description = '', rule } = fields
  return db.begin(async (tx) => {
    await changeRules(tx)
    const made = await tx`
      insert into collections.collections (id, version, title, description, rule)
      values (${id}, 1, ${title}, ${description}, ${rule ? JSON.stringify(rule) : null}::jsonb)
      on conflict do nothing`
    if (made.count === 0)
      throw new Rejected(
        'already-exists',
        { what: 'collection', id },
        `there is a collection ${JSON.stringify(id)} already`,
      )
    if (rule) await evaluateAll({ id, rule }, tx)
    await pick(id, fields.productIds, tx)
    return readCollection(tx, id)
  })
}

/** `expected` is the version the caller saw: another one is rejected as `version-mismatch`. */
export function changeCollection(
  db: Database,
  id: string,
  fields: CollectionFields,
  expected?: number,
): Promise<Collection> {
  return db.begin(async (tx) => {
    await changeRules(tx)
    const before = await locked(tx, id, expected)
    if (fields.rule && before.kind === 'manual') throw otherKind('rule', 'a collection picked by hand has no rule')
    if (fields.productIds && before.kind === 'rule')
      throw otherKind('productIds', 'a rule collection has no picked products')
    const { title = before.title, description = before.description, rule = before.rule } = fields
    await tx`
      update collections.collections
         set version = version + 1, updated_at = now(), title = ${title}, description = ${description},
             rule = ${rule ? JSON.stringify(rule) : null}::jsonb
       where id = ${id}`
    if (fields.rule) await evaluateAll({ id, rule: fields.rule }, tx)
    await pick(id, fields.productIds, tx)
    return readCollection(tx, id)
  })
}

export function deleteCollection(db: Database, id: string, expected?: number): Promise<void> {
  return db.begin(async (tx) => {
    await changeRules(tx)
    await locked(tx, id, expected)
    await tx`delete from collections.collections where id = ${id}`
  })
}

/** The ids of its live products, in the picked order or by id. A place is that of the last id of the page before. */
export function productsOf(db: Sql, collection: Collection, after: { position: number; id: string }, limit: number) {
  if (collection.kind === 'manual')
    return db<{ product_id: string; position: number; title: string }>`
      select k.product_id, k.position, p.facts ->> 'title' as title
        from collections.picks k join collections.products p on p.product_id = k.product_id and p.live
       where k.collection_id = ${collection.id} and k.position > ${after.position}
       order by k.position limit ${limit}`
  return db<{ product_id: string; position: number; title: string }>`
    select m.product_id, 0 as position, p.facts ->> 'title' as title
      from collections.members m join collections.products p using (product_id)
     where m.collection_id = ${collection.id} and m.product_id > ${after.id}
     order by m.product_id limit ${limit}`
}

async function locked(tx: Sql, id: string, expected: number | undefined): Promise<Collection> {
  await tx`select from collections.collections where id = ${id} for update`
  const before = await readCollection(tx, id)
  if (expected !== undefined && expected !== before.version)
    throw new Rejected('version-mismatch', { entity: `collection/${id}`, expected, actual: before.version })
  return before
}

async function pick(id: string, productIds: string[] | undefined, tx: Sql): Promise<void> {
  if (!productIds) return
  await tx`delete from collections.picks where collection_id = ${id}`
  await tx`
    insert into collections.picks (collection_id, position, product_id)
    select ${id}, n, product_id from unnest(${productIds}::text[]) with ordinality as u (product_id, n)`
}

const otherKind = (field: string, message: string) => invalidRequest({ in: 'body', field, message })
