/** Where inventory keeps its state: one statement a table and batch. */
import { isDeepStrictEqual } from 'node:util'
import { numbers, texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Changed, Store } from '../../engine/decider.ts'
import { saveDeliveries } from './delivery-store.ts'
import { type InventoryFact, isMovement, type Movement } from './facts.ts'
import { load } from './load.ts'
import { saveLines, saveReservations } from './reservation-store.ts'
import type { Held, State, StockState } from './state.ts'
import { saveStocktakes } from './stocktake-store.ts'

type Batch = Changed<State, InventoryFact>

export const inventoryStore: Store<State, InventoryFact> = { load, save, same }

/** Nothing of a stock changes without a version but that reservations expire; a reservation has no versions. */
function same(assumed: State, loaded: State): boolean {
  if ('lapsed' in assumed && 'lapsed' in loaded)
    return isDeepStrictEqual({ ...assumed, lines: inOrder(assumed.lines) }, { ...loaded, lines: inOrder(loaded.lines) })
  const unexpired = (state: State) => 'stock' in state && state.expired.length === 0
  return unexpired(assumed) && unexpired(loaded)
}

const inOrder = (lines: readonly Held[]) =>
  lines.length < 2 ? lines : lines.toSorted((a, b) => (a.sku + a.warehouseId < b.sku + b.warehouseId ? -1 : 1))

/** Issues its statements without waiting in between: they travel together. */
async function save(tx: Sql, changed: Batch): Promise<void> {
  const movements = changed.facts.filter((entry): entry is Moved => isMovement(entry.fact))
  await Promise.all([
    saveStock(tx, changed),
    saveLevels(tx, changed, movements),
    saveLedger(tx, movements),
    saveReservations(tx, changed),
    saveLines(tx, movements),
    saveDeliveries(tx, changed),
    saveStocktakes(tx, changed),
  ])
}

type Moved = Batch['facts'][number] & { fact: Movement }

const skuOf = (entity: string) => entity.slice('stock/'.length)

/**
 * A SKU whose first event is in this batch is inserted, every other one updated: an update of a locked row costs half an upsert. Two
 * processes that open one SKU at once meet in the ledger's primary key, and one of them comes again.
 */
async function saveStock(tx: Sql, { states, facts }: Batch): Promise<void> {
  const born = new Set<string>()
  for (const { fact, version } of facts) if (version === 1 && isMovement(fact)) born.add(fact.entity)
  const old = stockRows(states, (entity) => !born.has(entity))
  const fresh = stockRows(states, (entity) => born.has(entity))
  const work: Promise<unknown>[] = []
  if (old.skus.length > 0) {
    work.push(tx`
      update inventory.stock s
         set version = v.version, product_id = v.product_id, active = v.active,
             reorder_threshold = v.reorder_threshold, target_level = v.target_level
        from unnest(${old.skus}::text[], ${old.productIds}::text[], ${numbers(old.versions)}::bigint[], ${old.active}::bool[],
                    ${numbers(old.thresholds)}::bigint[], ${numbers(old.targets)}::bigint[])
             as v (sku, product_id, version, active, reorder_threshold, target_level)
       where s.sku = v.sku`)
  }
  if (fresh.skus.length > 0) {
    work.push(tx`
      insert into inventory.stock (sku, product_id, version, active, reorder_threshold, target_level)
      select * from unnest(${fresh.skus}::text[], ${fresh.productIds}::text[], ${numbers(fresh.versions)}::bigint[],
                           ${fresh.active}::bool[], ${numbers(fresh.thresholds)}::bigint[], ${numbers(fresh.targets)}::bigint[])`)
  }
  await Promise.all(work)
}

function stockRows(states: Batch['states'], wanted: (entity: string) => boolean) {
  const rows = { skus: [], productIds: [], versions: [], active: [], thresholds: [], targets: [] } as {
    skus: string[]
    productIds: string[]
    versions: number[]
    active: boolean[]
    thresholds: number[]
    targets: number[]
  }
  for (const [entity, { version, state }] of states) {
    if (!entity.startsWith('stock/') || !wanted(entity)) continue
    const { stock, reorderThreshold, targetLevel } = state as StockState
    rows.skus.push(stock.sku)
    rows.productIds.push(stock.productId)
    rows.versions.push(version)
    rows.active.push(stock.active)
    rows.thresholds.push(reorderThreshold)
    rows.targets.push(targetLevel)
  }
  return rows
}

const untouchedIn = (states: Batch['states'], entity: string) =>
  (states.get(entity) as { state: StockState }).state.untouched

/** Each level once, as the last movement left it. */
async function saveLevels(tx: Sql, { states }: Batch, movements: Moved[]): Promise<void> {
  const last = new Map<string, Movement>()
  const opened = new Set<string>()
  for (const { fact } of movements) {
    last.set(fact.itemId, fact)
    if (fact.opens) opened.add(fact.itemId)
  }
  const rows = (wanted: (itemId: string) => boolean) => {
    const levels = [...last.values()].filter((fact) => wanted(fact.itemId))
    return {
      count: levels.length,
      items: levels.map((fact) => fact.itemId),
      skus: levels.map((fact) => skuOf(fact.entity)),
      warehouses: levels.map((fact) => fact.warehouseId),
      onHand: numbers(levels.map((fact) => fact.onHand)),
      reserved: numbers(levels.map((fact) => fact.reserved)),
      moved: levels.map((fact) => !untouchedIn(states, fact.entity).includes(fact.warehouseId)),
    }
  }
  const old = rows((itemId) => !opened.has(itemId))
  const fresh = rows((itemId) => opened.has(itemId))
  const plans = planned(states, movements)
  const work: Promise<unknown>[] = []
  // A limit rises before what it allows and falls after what it allowed: the table's checks look at each statement by itself.
  if (plans.items.length > 0) work.push(savePlans(tx, plans, 'rising'))
  if (old.count > 0) {
    work.push(tx`
      update inventory.levels l
         set on_hand = greatest(v.on_hand, 0), backordered = greatest(-v.on_hand, 0), reserved = v.reserved, moved = v.moved
        from unnest(${old.skus}::text[], ${old.warehouses}::text[], ${old.onHand}::bigint[], ${old.reserved}::bigint[],
                    ${old.moved}::bool[]) as v (sku, warehouse_id, on_hand, reserved, moved)
       where l.sku = v.sku and l.warehouse_id = v.warehouse_id`)
  }
  if (fresh.count > 0) {
    const { safety, limits } = plansOf(
      states,
      [...last.values()].filter((fact) => opened.has(fact.itemId)),
    )
    work.push(tx`
      insert into inventory.levels (sku, warehouse_id, item_id, on_hand, backordered, reserved, moved, safety_stock, backorder)
      select sku, warehouse_id, item_id, greatest(on_hand, 0), greatest(-on_hand, 0), reserved, moved, safety_stock, backorder
        from unnest(${fresh.skus}::text[], ${fresh.warehouses}::text[], ${fresh.items}::text[], ${fresh.onHand}::bigint[],
                    ${fresh.reserved}::bigint[], ${fresh.moved}::bool[], ${safety}::bigint[], ${limits}::bigint[])
             as v (sku, warehouse_id, item_id, on_hand, reserved, moved, safety_stock, backorder)`)
  }
  if (plans.items.length > 0) work.push(savePlans(tx, plans, 'falling'))
  await Promise.all(work)
}

/** What is planned for levels now; rarely anything. */
function planned(states: Batch['states'], movements: Moved[]) {
  const kept = new Map<string, Movement>()
  for (const { fact } of movements)
    if (fact.item?.safetyStock !== undefined || fact.item?.backorderLimit !== undefined) kept.set(fact.itemId, fact)
  return plansOf(states, [...kept.values()])
}

function plansOf(states: Batch['states'], facts: Movement[]) {
  const levels = facts.map(({ entity, warehouseId }) =>
    (states.get(entity) as { state: StockState }).state.stock.levels.find((one) => one.warehouseId === warehouseId),
  )
  return {
    items: facts.map((fact) => fact.itemId),
    safety: numbers(levels.map((level) => level?.safetyStock ?? 0)),
    limits: numbers(levels.map((level) => level?.backorderLimit ?? 0)),
  }
}

const savePlans = (tx: Sql, { items, safety, limits }: ReturnType<typeof plansOf>, when: 'rising' | 'falling') => tx`
  update inventory.levels l
     set safety_stock = v.safety_stock, backorder = case when ${when} = 'rising' then greatest(l.backorder, v.backorder) else v.backorder end
    from unnest(${items}::text[], ${safety}::bigint[], ${limits}::bigint[]) as v (item_id, safety_stock, backorder)
   where l.item_id = v.item_id`

/**
 * What many rows have in common travels once, numbers as array literals and ids as one joined text each: 2,000 rows of one SKU then
 * cost 11 ms instead of the 18 of twelve arrays.
 */
async function saveLedger(tx: Sql, movements: Moved[]): Promise<void> {
  if (movements.length === 0) return
  const groups = new Map<string, Moved[]>()
  let last: Moved | undefined
  let group: Moved[] = []
  for (const entry of movements) {
    if (last === undefined || !alike(last, entry)) {
      const { warehouseId, trigger, reason, referenceType } = entry.fact
      const name = JSON.stringify([warehouseId, trigger, reason, referenceType, entry.meta.actor])
      group = groups.get(name) ?? []
      groups.set(name, group)
    }
    group.push(entry)
    last = entry
  }
  const rows = [...groups.values()]
  const heads = rows.map((entries) => entries[0] as Moved)
  const column = (value: (entry: Moved) => number) => rows.map((entries) => numbers(entries.map(value)))
  const ids = (value: (entry: Moved) => string) => rows.map((entries) => texts(entries.map(value)))
  await tx`
    insert into inventory.ledger (sku, version, warehouse_id, on_hand_delta, reserved_delta, on_hand_after, reserved_after,
                                  trigger, reason, reference_type, reference, actor)
    select r.sku, r.version, g.warehouse_id, r.on_hand_delta, r.reserved_delta, r.on_hand_after, r.reserved_after,
           g.trigger, g.reason, g.reference_type, r.reference, g.actor
      from unnest(${heads.map(({ fact }) => fact.warehouseId)}::text[], ${heads.map(({ fact }) => fact.trigger)}::text[],
                  ${heads.map(({ fact }) => fact.reason)}::text[], ${heads.map(({ fact }) => fact.referenceType)}::text[],
                  ${heads.map(({ meta }) => meta.actor)}::text[],
                  ${ids(({ fact }) => skuOf(fact.entity))}::text[], ${ids(({ fact }) => fact.reference ?? '')}::text[],
                  ${column(({ version }) => version)}::text[],
                  ${column(({ fact }) => fact.onHandDelta)}::text[], ${column(({ fact }) => fact.reservedDelta)}::text[],
                  ${column(({ fact }) => fact.onHand)}::text[], ${column(({ fact }) => fact.reserved)}::text[])
             as g (warehouse_id, trigger, reason, reference_type, actor, skus, refs, versions, on_hand_deltas,
                   reserved_deltas, on_hand_afters, reserved_afters),
           unnest(string_to_array(g.skus, chr(30)), string_to_array(g.refs, chr(30), ''), g.versions::bigint[],
                  g.on_hand_deltas::bigint[], g.reserved_deltas::bigint[],
                  g.on_hand_afters::bigint[], g.reserved_afters::bigint[])
             as r (sku, reference, version, on_hand_delta, reserved_delta, on_hand_after, reserved_after)`
}

function alike(a: Moved, b: Moved): boolean {
  return (
    a.fact.warehouseId === b.fact.warehouseId &&
    a.fact.trigger === b.fact.trigger &&
    a.fact.reason === b.fact.reason &&
    a.fact.referenceType === b.fact.referenceType &&
    a.meta.actor === b.meta.actor
  )
}
