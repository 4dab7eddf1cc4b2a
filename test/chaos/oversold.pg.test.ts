import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { verifyInventory } from '../../src/services/inventory/verify.ts'
import { verifyOrders } from '../../src/services/orders/verify.ts'
import { createTestDatabase } from '../database.ts'
import { type Call, logIsSound } from './checker.ts'
import { seededTest } from './seed.ts'
import { failpointsHit, type Host, startHost } from './supervisor.ts'
import { outcomeOf } from './workload.ts'

const UNITS = 300
const isPlaced = (orderId: string) => /[02468]$/.test(orderId)
const points = ['rows-locked', 'states-written', 'after-append', 'committed', 'answered']

for (const point of points) {
  seededTest(
    `${UNITS} units of one SKU are sold exactly once by two processes of which one is killed at ${point}, and no order is without its units`,
    async (random) => {
      const { url } = await createTestDatabase()
      const db = openDatabase(url)
      const steady = await startHost(url, { inventory: true })
      await steady.execute({ type: 'set-initial', sku: 'HOT', productId: 'p', warehouseId: 'main', quantity: UNITS })
      const doomed = await startHost(url, { inventory: true, failpoints: `${point}=kill@${random.between(2, 6)}` })

      // In step, or all would be sold before the slower process came to its end.
      const begun = { doomed: 0, steady: 0 }
      const caller = async (n: number): Promise<Call[]> => {
        const calls: Call[] = []
        const where = n % 2 === 0 ? 'doomed' : 'steady'
        for (let m = 0; m < 12; m++) {
          while (where === 'steady' && doomed.isRunning() && begun.steady > begun.doomed) await pause(1)
          begun[where]++
          const orderId = `order-${n}-${m}`
          const host = (): Host => (where === 'doomed' && doomed.isRunning() ? doomed : steady)
          // Half of them through orders: the order and its units are two parts of one commit.
          const type = isPlaced(orderId) ? 'place' : 'order'
          const order = () =>
            host().execute(
              { type, orderId, lines: [{ sku: 'HOT', quantity: 1 }] },
              { key: orderId, correlationId: orderId },
            )
          calls.push(await outcomeOf(order, orderId, { refusal: 'insufficient-stock' }))
        }
        return calls
      }
      const calls = (await Promise.all(Array.from({ length: 40 }, (_, n) => caller(n)))).flat()
      expect(await doomed.exited).toBe('SIGKILL')

      const sold = calls.filter((call) => call.outcome === 'ok').map((call) => call.key)
      expect(sold.length).toBe(UNITS)
      const ledger = await db<{ reference: string; units: number }>`
      select reference, -sum(on_hand_delta)::int as units from inventory.ledger where reference_type = 'ORDER' group by reference`
      expect(ledger.every((row) => row.units === 1)).toBe(true)
      expect(ledger.map((row) => row.reference).sort()).toEqual(sold.sort())
      expect(await db`select on_hand, reserved from inventory.levels`).toEqual([{ on_hand: 0, reserved: 0 }])
      const orders = await db<{ id: string; told: number }>`
      select o.id, (select count(*)::int from lockstep.events e where e.entity = 'order/' || o.id) as told from orders.orders o`
      expect(orders.every((row) => row.told === 1)).toBe(true)
      expect(orders.map((row) => row.id).sort()).toEqual(sold.filter(isPlaced))
      expect([...(await verifyInventory(db)), ...(await verifyOrders(db)), ...(await logIsSound(db))]).toEqual([])
      expect(steady.unhandled).toEqual([])
      await steady.close()
      await db.close()
    },
  )
}

test('every point at which the writer was to be killed was reached', () => {
  expect(Object.keys(failpointsHit()).sort()).toEqual([...points].sort())
})
