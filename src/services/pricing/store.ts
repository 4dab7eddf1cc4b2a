/** Where prices and the rulebook are kept: one statement a table and batch. */
import { numbers, texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Changed, EntityId, Store, Versioned } from '../../engine/decider.ts'
import {
  type PriceState,
  type PricingFact,
  type PricingState,
  priceEntity,
  promotionEntity,
  RULEBOOK,
  RULES,
  type Written,
} from './decider.ts'
import type { Rulebook } from './rule.ts'

type Loaded = { states: Map<EntityId, Versioned<PricingState>>; blocked: EntityId[] }
type ChangedPricing = Changed<PricingState, PricingFact>

const namedBy = (ids: EntityId[], prefix: string) =>
  ids.filter((id) => id.startsWith(prefix)).map((id) => id.slice(prefix.length))

/** The rulebook as it was last read: its text travels again only when it has changed. */
export class ReadRulebook {
  #revision = -1
  #book: Rulebook = { rules: [], promotions: [] }

  get revision(): number {
    return this.#revision
  }

  take(row: { revision: number; body: string | null }): Rulebook {
    if (row.body !== null) {
      this.#book = JSON.parse(row.body) as Rulebook
      this.#revision = row.revision
    }
    return this.#book
  }
}

export function pricingStore(): Store<PricingState, PricingFact> {
  const read = new ReadRulebook()
  return {
    async load(tx, ids, { skipLocked }) {
      const loaded: Loaded = { states: new Map(), blocked: [] }
      const products = namedBy(ids, priceEntity(''))
      const promotions = namedBy(ids, promotionEntity(''))
      await Promise.all([
        products.length > 0 && loadPrices(tx, products, skipLocked, loaded),
        loadRulebook(tx, ids, read, skipLocked, loaded),
        promotions.length > 0 && loadPromotions(tx, promotions, loaded),
      ])
      return loaded
    },
    save: (tx, changed) => Promise.all([...savePrices(tx, changed), ...saveRulebook(tx, changed)]),
  }
}

async function loadPrices(tx: Sql, ids: string[], skipLocked: boolean, { states, blocked }: Loaded) {
  type Row = { product_id: string; version: number; state: string }
  const joined = texts(ids)
  const rows = skipLocked
    ? await tx<Row>`
        select product_id, version, state
          from pricing.prices
         where product_id = any(string_to_array(${joined}, chr(30)))
         order by product_id
           for update skip locked`
    : await tx<Row>`
        select product_id, version, state
          from pricing.prices
         where product_id = any(string_to_array(${joined}, chr(30)))
         order by product_id
           for update`
  for (const { product_id, version, state } of rows)
    states.set(priceEntity(product_id), { version, state: JSON.parse(state) as PriceState })
  if (!skipLocked || rows.length === ids.length) return
  const missing = ids.filter((id) => !states.has(priceEntity(id)))
  const held = await tx<{ product_id: string }>`
    select product_id from pricing.prices where product_id = any(string_to_array(${texts(missing)}, chr(30)))`
  blocked.push(...held.map(({ product_id }) => priceEntity(product_id)))
}

/** Held alone if any command of the batch changes it, and then known by that name only; shared otherwise. */
async function loadRulebook(tx: Sql, ids: EntityId[], read: ReadRulebook, skipLocked: boolean, loaded: Loaded) {
  const asked = ids.filter((id) => id === RULEBOOK || id === RULES)
  if (asked.length === 0) return
  const entity = asked.includes(RULEBOOK) ? RULEBOOK : RULES
  const [row] = await tx.text<{ revision: number; body: string | null }>(
    `select revision, case when revision <> $1 then body end as body
       from pricing.rulebook
        for ${entity === RULEBOOK ? 'update' : 'share'}${skipLocked ? ' skip locked' : ''}`,
    [read.revision],
  )
  if (row) loaded.states.set(entity, { version: 0, state: read.take(row) })
  else loaded.blocked.push(...asked)
}

/** Read behind the rulebook's lock, which whoever writes one holds alone. */
async function loadPromotions(tx: Sql, ids: string[], { states }: Loaded) {
  const rows = await tx<{ id: string; status: Written['status']; promotion: string }>`
    select id, status, promotion from pricing.promotions where id = any(string_to_array(${texts(ids)}, chr(30)))`
  for (const { id, status, promotion } of rows)
    states.set(promotionEntity(id), { version: 0, state: { status, promotion: JSON.parse(promotion) } })
}

type Row = PriceState & { version: number }

/** What is new is inserted plainly: two that did not see each other must not become one row with two first versions. */
function savePrices(tx: Sql, { states, facts }: ChangedPricing) {
  const born = new Set<EntityId>()
  const known = new Set<EntityId>()
  for (const { fact, version } of facts) {
    if (fact.type === 'book.changed' || fact.type === 'promotion.written') continue
    if (fact.type !== 'product.noted' && version === 1) born.add(fact.entity)
    else if (!born.has(fact.entity)) known.add(fact.entity)
  }
  const rowOf = (entity: EntityId): Row => {
    const { version, state } = states.get(entity) as Versioned<PriceState>
    return { version, ...(state as PriceState) }
  }
  return [
    born.size > 0 && insertPrices(tx, columnsOf([...born].map(rowOf))),
    known.size > 0 && updatePrices(tx, columnsOf([...known].map(rowOf))),
  ]
}

// Lists of lists travel as json text: unnest flattens an array of arrays.
const columnsOf = (rows: Row[]) => ({
  ids: texts(rows.map(({ product }) => product.productId)),
  versions: numbers(rows.map(({ version }) => version)),
  vendors: rows.map(({ product }) => product.vendorId),
  categories: rows.map(({ product }) => product.category),
  tags: texts(rows.map(({ product }) => JSON.stringify(product.tags))),
  skus: texts(rows.map(({ product }) => JSON.stringify(skusOf(product)))),
  states: texts(
    rows.map(({ product, prices, problems }) => JSON.stringify({ product, prices, problems } satisfies PriceState)),
  ),
})

const skusOf = ({ status, variants }: PriceState['product']) =>
  status === 'deleted' ? [] : variants.map(({ sku }) => sku)

const insertPrices = (
  tx: Sql,
  { ids, versions, vendors, categories, tags, skus, states }: ReturnType<typeof columnsOf>,
) =>
  tx`
    insert into pricing.prices (product_id, version, vendor_id, category, tags, skus, state)
    select v.product_id, v.version, v.vendor_id, v.category,
           array(select json_array_elements_text(v.tags::json)), array(select json_array_elements_text(v.skus::json)), v.state::json
      from unnest(string_to_array(${ids}, chr(30)), ${versions}::bigint[], ${vendors}::text[], ${categories}::text[],
                  string_to_array(${tags}, chr(30)), string_to_array(${skus}, chr(30)), string_to_array(${states}, chr(30)))
           as v (product_id, version, vendor_id, category, tags, skus, state)`

const updatePrices = (
  tx: Sql,
  { ids, versions, vendors, categories, tags, skus, states }: ReturnType<typeof columnsOf>,
) =>
  tx`
    update pricing.prices p
       set version = v.version, vendor_id = v.vendor_id, category = v.category,
           tags = array(select json_array_elements_text(v.tags::json)), skus = array(select json_array_elements_text(v.skus::json)),
           state = v.state::json
      from unnest(string_to_array(${ids}, chr(30)), ${versions}::bigint[], ${vendors}::text[], ${categories}::text[],
                  string_to_array(${tags}, chr(30)), string_to_array(${skus}, chr(30)), string_to_array(${states}, chr(30)))
           as v (product_id, version, vendor_id, category, tags, skus, state)
     where p.product_id = v.product_id`

/** The promotions and what is to be priced anew, each as the batch's last word on it, and the book they leave. */
function saveRulebook(tx: Sql, { facts }: ChangedPricing) {
  const written = new Map<string, Written>()
  const repricings = new Map<string, Extract<PricingFact, { type: 'book.changed' }>['reprice'] & object>()
  let book: Rulebook | undefined
  for (const { fact } of facts) {
    if (fact.type === 'promotion.written') written.set(fact.promotion.id, fact)
    if (fact.type !== 'book.changed') continue
    book = fact.book
    if (fact.reprice) {
      const before = repricings.get(fact.reprice.subject)
      repricings.set(fact.reprice.subject, {
        ...fact.reprice,
        scopes: [...(before?.scopes ?? []), ...fact.reprice.scopes],
      })
    }
  }
  if (!book) return []
  const promotions = [...written.values()]
  const todo = [...repricings.values()].flatMap(({ subject, scopes, cause }) =>
    scopes.map((scope) => ({ subject, scope: JSON.stringify(scope), cause: cause ? JSON.stringify(cause) : null })),
  )
  return [
    tx`update pricing.rulebook set revision = revision + 1, body = ${JSON.stringify(book)}::json`,
    promotions.length > 0 &&
      tx`
        insert into pricing.promotions as p (id, status, starts_at, ends_at, ended_at, promotion)
        select id, status, starts_at, ends_at, case when status = 'ended' then clock_timestamp() end, promotion::json
          from unnest(${promotions.map(({ promotion }) => promotion.id)}::text[],
                      ${promotions.map(({ status }) => status)}::text[],
                      ${promotions.map(({ promotion }) => promotion.startsAt)}::timestamptz[],
                      ${promotions.map(({ promotion }) => promotion.endsAt)}::timestamptz[],
                      string_to_array(${texts(promotions.map(({ promotion }) => JSON.stringify(promotion)))}, chr(30)))
               as v (id, status, starts_at, ends_at, promotion)
        on conflict (id) do update
        set status = excluded.status, starts_at = excluded.starts_at, ends_at = excluded.ends_at,
            ended_at = excluded.ended_at, promotion = excluded.promotion`,
    // What a changed rule left undone is still to be done by its new form; a promotion that ended need not be applied any further.
    todo.length > 0 &&
      tx`
        delete from pricing.repricings
         where cause is not null and subject = any(${promotions.map(({ promotion }) => `promotion/${promotion.id}`)}::text[])`,
    todo.length > 0 &&
      tx`
        insert into pricing.repricings (subject, scope, cause)
        select subject, scope::json, cause::json
          from unnest(${todo.map(({ subject }) => subject)}::text[], ${todo.map(({ scope }) => scope)}::text[],
                      ${todo.map(({ cause }) => cause)}::text[]) as v (subject, scope, cause)`,
  ]
}
