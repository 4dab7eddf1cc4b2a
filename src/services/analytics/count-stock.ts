/** Counts stock: levels by vendor and warehouse as they change, low and out, movements by what caused them, reservations. */
import type { LoggedEvent } from '../../engine/event.ts'
import type { Stock } from '../inventory/events.ts'
import type { Additions } from './additions.ts'
import { type Gauges, gaugeNames, type KnownLevel, type KnownStock, nothing, type World } from './world.ts'

/** No time zone's day begins but at a quarter of an hour. */
const QUARTER_MS = 900_000

export function countStock({ type, at, data }: LoggedEvent, world: World, additions: Additions): void {
  const stock = data.stock as Stock
  if (type === 'stock.updated') countMovement(at, data, additions)
  if (type === 'stock.reserved') countReservation(at, 'reserved', data.quantity, additions)
  if (type === 'stock.released') countReservation(at, data.cause, data.quantity, additions)
  if (type === 'stock.update.failed') additions.add(at, 'refused units', 'all', '', data.requested)
  const next = known(stock)
  const before = world.stock.get(stock.sku)
  moveGauges(at, before, next, world, additions)
  world.put(stock.sku, next)
  world.changed.stock.add(stock.sku)
  const quarter = Math.floor(at.getTime() / QUARTER_MS) * QUARTER_MS
  let closings = world.closings.get(quarter)
  if (!closings) world.closings.set(quarter, (closings = new Map()))
  for (const productId of new Set([next.productId, before?.productId ?? next.productId]))
    closings.set(productId, { ...world.sumOf(productId) })
}

/** A product's stock goes from one vendor to another. */
export function moveVendor(at: Date, productId: string, from: string, to: string, world: World, additions: Additions) {
  for (const sku of world.skusOf.get(productId) ?? []) {
    const gauges = gaugesOf(world.stock.get(sku), world)
    addDifference(at, 'vendor', from, gauges, nothing, additions)
    addDifference(at, 'vendor', to, nothing, gauges, additions)
  }
}

/** A SKU's part of all gauges. What is no longer sold counts nowhere. */
export function gaugesOf(stock: KnownStock | undefined, world: World): Gauges {
  if (!stock?.active) return nothing
  let [onHand, reserved] = [0, 0]
  for (const level of Object.values(stock.levels)) {
    onHand += level[0]
    reserved += level[1]
  }
  return judged([onHand, reserved, stock.available], world)
}

function judged([onHand, reserved, available]: KnownLevel, { thresholds }: World): Gauges {
  const out = available <= thresholds.out
  const low = !out && available <= thresholds.low
  return { onHand, reserved, available, skus: 1, low: Number(low), out: Number(out) }
}

function known({ productId, active, available, levels }: Stock): KnownStock {
  const kept = levels.map((level): [string, KnownLevel] => {
    const { warehouseId, onHand, reserved, safetyStock = 0, backordered = 0, backorderLimit = 0 } = level
    const free = onHand - backordered - reserved
    const sellable = safetyStock + backorderLimit > 0 ? Math.max(0, free - safetyStock + backorderLimit) : free
    return [warehouseId, [onHand, reserved, sellable]]
  })
  return { productId, active, available, levels: Object.fromEntries(kept) }
}

function moveGauges(at: Date, before: KnownStock | undefined, next: KnownStock, world: World, additions: Additions) {
  const [was, is] = [gaugesOf(before, world), gaugesOf(next, world)]
  addDifference(at, 'all', '', was, is, additions)
  const home = before?.productId ?? next.productId
  const [from, to] = [world.vendorOf(home), world.vendorOf(next.productId)]
  if (from === to) addDifference(at, 'vendor', to, was, is, additions)
  else {
    addDifference(at, 'vendor', from, was, nothing, additions)
    addDifference(at, 'vendor', to, nothing, is, additions)
  }
  for (const warehouse of new Set([...Object.keys(before?.levels ?? {}), ...Object.keys(next.levels)])) {
    const level = (stock: KnownStock | undefined) =>
      stock?.active && stock.levels[warehouse] ? judged(stock.levels[warehouse], world) : nothing
    addDifference(at, 'warehouse', warehouse, level(before), level(next), additions)
  }
  for (const name of gaugeNames) {
    world.sumOf(home)[name] -= was[name]
    world.sumOf(next.productId)[name] += is[name]
  }
}

function addDifference(at: Date, dimension: string, item: string, was: Gauges, is: Gauges, additions: Additions) {
  for (const name of gaugeNames) {
    const difference = is[name] - was[name]
    if (difference !== 0) additions.add(at, `stock.${name}`, dimension, item, difference)
  }
}

function countMovement(at: Date, data: LoggedEvent['data'], additions: Additions) {
  const { trigger, previousQuantity, newQuantity, changes } = data
  const moved = (newQuantity ?? 0) - (previousQuantity ?? 0)
  additions.add(at, 'moved units', 'trigger', trigger, moved)
  if (trigger !== 'ORDER_CONFIRMED') return
  // An order that takes what was held for it: units leave the reservation as they leave the shelf.
  for (const { field, oldValue, newValue } of changes ?? [])
    if (/^levels\..+\.reserved$/.test(field) && oldValue > newValue)
      countReservation(at, 'confirmed', oldValue - newValue, additions)
}

function countReservation(at: Date, outcome: string, quantity: number, additions: Additions) {
  additions.add(at, 'reservation lines', 'outcome', outcome, 1)
  additions.add(at, 'reservation units', 'outcome', outcome, quantity)
}
