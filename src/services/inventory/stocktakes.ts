/**
 * Stocktakes: what was counted is compared with what was on hand when it was counted, and the difference made up for now. So orders taken
 * between the count and its entry are not forgotten.
 */
import { type Decision, Rejected } from '../../engine/decider.ts'
import { balanceOf } from './allocation.ts'
import type { Command } from './commands.ts'
import { mustBeInUse } from './counts.ts'
import type { Draft, StockThresholds } from './draft.ts'
import type { InventoryFact } from './facts.ts'
import { refuseIf } from './orders.ts'
import { countIn, warehouseId as entityOf, warehouseIn } from './state.ts'

type Of<Type extends Command['type']> = Extract<Command, { type: Type }>

/** One SKU of a count. */
interface Found {
  sku: string
  counted: number
  /** On hand at the time of the count. */
  expected: number
  difference: number
  /** On hand once the difference is made up for; what was sold since is off it. Below zero: so many are backordered. */
  onHand: number
}

/** All lines or none. A dry run changes nothing and answers what it would find. Throws for SKUs counted then or later already. */
export function takeStock(
  draft: Draft,
  command: Of<'stocktake'>,
  thresholds: StockThresholds,
): Decision<InventoryFact> {
  const { stocktakeId, warehouseId, countedAt, lines, dryRun, trigger = 'ADMIN_UPDATE', reason } = command
  mustBeInUse(draft, warehouseId)
  if (new Date(countedAt) > draft.now) throw new Rejected('counted-in-the-future', { countedAt })
  const stocks = lines.map((line) => draft.stock(line.sku))
  refuseIf(stocks, lines, 'unknown-sku', (stock) => stock === undefined)
  refuseIfCountedSince(draft, command)
  const then = countIn(draft.states, warehouseId, countedAt)?.onHand
  const found: Found[] = lines.map(({ sku, quantity: counted }, n) => {
    const level = stocks[n]?.stock.levels.find((one) => one.warehouseId === warehouseId)
    const expected = then?.get(sku) ?? 0
    const difference = counted - expected
    return { sku, counted, expected, difference, onHand: (level ? balanceOf(level) : 0) + difference }
  })
  refuseBelowReserved(draft, warehouseId, found)
  const answer = { stocktakeId, warehouseId, countedAt, dryRun, lines: found }
  if (dryRun) return { facts: [], answer }
  const reference = { referenceType: 'STOCKTAKE', reference: stocktakeId, reason }
  for (const { sku, difference } of found) {
    if (difference !== 0) draft.move(sku, warehouseId, { trigger, onHand: difference, ...reference })
  }
  draft.facts.push({
    type: 'stocktake.taken',
    entity: entityOf(warehouseId),
    stocktake: {
      stocktakeId,
      warehouseId,
      countedAt,
      lines: found.map(({ sku, counted, expected }) => ({ sku, counted, expected })),
    },
  })
  return draft.done(thresholds, answer)
}

/** An older count would undo what a newer one has found. */
function refuseIfCountedSince(draft: Draft, { warehouseId, countedAt, lines }: Of<'stocktake'>): void {
  const counted = countIn(draft.states, warehouseId, countedAt)?.countedSince
  const justNow = warehouseIn(draft.states, warehouseId)?.counted
  const again = lines.filter(({ sku }) => counted?.has(sku) || justNow?.includes(sku)).map(({ sku }) => ({ sku }))
  if (again.length === 0) return
  const message = `counted at that time or later already: ${again.map((line) => line.sku).join(', ')}`
  throw new Rejected('counted-since', { warehouseId, countedAt, lines: again }, message)
}

function refuseBelowReserved(draft: Draft, warehouseId: string, found: Found[]): void {
  const wrong = found.flatMap(({ sku, onHand }) => {
    const level = draft.stock(sku)?.stock.levels.find((one) => one.warehouseId === warehouseId)
    const reserved = level?.reserved ?? 0
    return onHand + (level?.backorderLimit ?? 0) < reserved ? { sku, requested: onHand, reserved } : []
  })
  if (wrong.length === 0) return
  const message = wrong.map((line) => `${line.sku}: ${line.reserved} reserved, so not ${line.requested} on hand`)
  throw new Rejected('below-reserved', { warehouseId, lines: wrong }, message.join('; '))
}
