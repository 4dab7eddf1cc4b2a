import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Command } from './commands.ts'
import { inventoryDecider } from './decider.ts'
import { inventoryEvents } from './events.ts'
import { deliveryIn, type States, stockIn, warehouseId } from './state.ts'

const decider = inventoryDecider({ low: 3, out: 0, reorderThreshold: 10, targetLevel: 50 })
const now = new Date('2026-01-01T00:00:00Z')

/** The state a command leaves, whether it was taken or refused; its events keep their contracts. */
function after(before: States, command: Command): States {
  const states = new Map(before)
  for (const fact of factsOf(states, command)) {
    const { version, state } = states.get(fact.entity) ?? { version: 0, state: undefined }
    const next = decider.evolve(state, fact)
    const told = decider.tell(fact, next)
    if (told) inventoryEvents[fact.type as keyof typeof inventoryEvents].parse(JSON.parse(JSON.stringify(told.data)))
    states.set(fact.entity, { version: told ? version + 1 : version, state: next })
  }
  return states
}

function factsOf(states: States, command: Command) {
  try {
    return decider.decide(states, command, now).facts ?? []
  } catch {
    return []
  }
}

/** Two warehouses in use, and ten of A and B in the first. */
const start = ['A', 'B'].reduce<States>(
  (states, sku) => after(states, { type: 'set-initial', sku, productId: 'p', warehouseId: 'near', quantity: 10 }),
  new Map(['near', 'far'].map((id) => [warehouseId(id), { version: 0, state: { active: true } }])),
)

const ids = ['1', '2', '3']
const id = fc.constantFrom(...ids)
const warehouse = fc.constantFrom('near', 'near', 'far', 'far', 'nowhere')
const line = fc.record({
  sku: fc.constantFrom('A', 'A', 'A', 'B', 'B', 'B', 'Z'),
  quantity: fc.integer({ min: 1, max: 4 }),
})
const lines = fc.array(line, { minLength: 1, maxLength: 2 })
const some = fc.option(lines, { nil: undefined })
const kind = fc.constant('transfer' as const)
const commands = fc.array(
  fc.oneof(
    fc.record({ type: fc.constant('announce' as const), deliveryId: id, from: warehouse, to: warehouse, lines }),
    fc.record({ type: fc.constant('receive' as const), kind, deliveryId: id, lines: some }),
    fc.record({ type: fc.constant('call-off' as const), kind, deliveryId: id }),
  ),
  { minLength: 20, maxLength: 40 },
)

test('whatever is shipped, received and cancelled in whatever order: every unit is in a warehouse or under way', () => {
  let arrivals = 0
  fc.assert(
    fc.property(commands, (sequence) => {
      let states = start
      for (const command of sequence) {
        states = after(states, command)
        const deliveries = ids.flatMap((one) => deliveryIn(states, one) ?? [])
        for (const sku of ['A', 'B']) {
          const underWay = deliveries
            .filter((one) => one.status === 'under-way')
            .flatMap((one) => one.lines.filter((found) => found.sku === sku))
            .reduce((sum, found) => sum + found.quantity - found.received, 0)
          expect((stockIn(states, sku)?.stock.onHand ?? 0) + underWay).toBe(10)
          for (const level of stockIn(states, sku)?.stock.levels ?? []) expect(level.onHand).toBeGreaterThanOrEqual(0)
        }
        for (const { status, lines } of deliveries) {
          for (const { quantity, received } of lines) expect(received).toBeLessThanOrEqual(quantity)
          if (status !== 'cancelled') {
            expect(status === 'received').toBe(lines.every((found) => found.received === found.quantity))
          }
          if (status === 'received') arrivals++
        }
      }
    }),
    { numRuns: 200 },
  )
  expect(arrivals).toBeGreaterThan(0)
})
