/** Where it is kept what was told of each product's media: one statement a table and batch. */
import { numbers, texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { EntityId, Store, Versioned } from '../../engine/decider.ts'
import { type MediaFact, type MediaState, mediaEntity } from './decider.ts'

const prefix = mediaEntity('')

/** What is new is inserted plainly: two that did not see each other must not become one row with two first versions. */
export const mediaStore: Store<MediaState, MediaFact> = {
  async load(tx, ids, { skipLocked }) {
    type Row = { product_id: string; version: number; state: string }
    const states = new Map<EntityId, Versioned<MediaState>>()
    const products = texts(ids.map((id) => id.slice(prefix.length)))
    const rows = skipLocked
      ? await tx<Row>`
          select product_id, version, state
            from media.products
           where product_id = any(string_to_array(${products}, chr(30)))
           order by product_id
             for update skip locked`
      : await tx<Row>`
          select product_id, version, state
            from media.products
           where product_id = any(string_to_array(${products}, chr(30)))
           order by product_id
             for update`
    for (const { product_id, version, state } of rows)
      states.set(mediaEntity(product_id), { version, state: JSON.parse(state) as MediaState })
    if (!skipLocked || rows.length === ids.length) return { states, blocked: [] }
    const held = await tx<{ product_id: string }>`
      select product_id from media.products where product_id = any(string_to_array(${products}, chr(30)))`
    return { states, blocked: held.map((row) => mediaEntity(row.product_id)).filter((id) => !states.has(id)) }
  },

  save(tx, { states, facts }) {
    const born = new Set(
      facts.flatMap(({ fact, version }) => (fact.type === 'media.updated' && version === 1 ? [fact.entity] : [])),
    )
    const known = new Set(facts.flatMap(({ fact }) => (born.has(fact.entity) ? [] : [fact.entity])))
    const rowsOf = (entities: Set<EntityId>) =>
      [...entities].map((entity) => ({ ...(states.get(entity) as Versioned<MediaState>) }))
    return Promise.all([
      born.size > 0 && insertProducts(tx, columnsOf(rowsOf(born))),
      known.size > 0 && updateProducts(tx, columnsOf(rowsOf(known))),
    ])
  },
}

const columnsOf = (rows: Versioned<MediaState>[]) => ({
  ids: texts(rows.map(({ state }) => state?.productId ?? '')),
  versions: numbers(rows.map(({ version }) => version)),
  states: texts(rows.map(({ state }) => JSON.stringify(state))),
})

const insertProducts = (tx: Sql, { ids, versions, states }: ReturnType<typeof columnsOf>) =>
  tx`
    insert into media.products (product_id, version, state)
    select product_id, version, state::json
      from unnest(string_to_array(${ids}, chr(30)), ${versions}::bigint[], string_to_array(${states}, chr(30))) as v (product_id, version, state)`

const updateProducts = (tx: Sql, { ids, versions, states }: ReturnType<typeof columnsOf>) =>
  tx`
    update media.products p
       set version = v.version, state = v.state::json
      from unnest(string_to_array(${ids}, chr(30)), ${versions}::bigint[], string_to_array(${states}, chr(30))) as v (product_id, version, state)
     where p.product_id = v.product_id`
