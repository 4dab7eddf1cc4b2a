import { expect, test } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { verifyInventory } from '../../src/services/inventory/verify.ts'
import { createTestDatabase } from '../database.ts'
import { type Call, logIsSound } from './checker.ts'
import { seededTest } from './seed.ts'
import { failpointsHit, type Host, startHost } from './supervisor.ts'
import { outcomeOf } from './workload.ts'

const UNITS = 300
const points = ['rows-locked', 'states-written', 'after-append', 'committed', 'answered']

for (const point of points) {
  seededTest(
    `${UNITS} units of one SKU are sold exactly once by two processes of which one is killed at ${point}`,
    async (random) => {
      const { url } = await createTestDatabase()
      const db = openDatabase(url)
      const steady = await startHost(url, { inventory: true })
      await steady.execute({ type: 'set-initial', sku: 'HOT', productId: 'p', warehouseId: 'main', quantity: UNITS })
      const doomed = await startHost(url, { inventory: true, failpoints: `${point}=kill@${random.between(2, 8)}` })

      const caller = async (n: number): Promise<Call[]> => {
        const calls: Call[] = []
        for (let m = 0; m < 12; m++) {
          const orderId = `order-${n}-${m}`
          const host = (): Host => (n % 2 === 0 && doomed.isRunning() ? doomed : steady)
          const order = () =>
            host().execute(
              { type: 'order', orderId, lines: [{ sku: 'HOT', quantity: 1 }] },
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
      expect([...(await verifyInventory(db)), ...(await logIsSound(db))]).toEqual([])
      expect(steady.unhandled).toEqual([])
      await steady.close()
      await db.close()
    },
  )
}

test('every point at which the writer was to be killed was reached', () => {
  expect(Object.keys(failpointsHit()).sort()).toEqual([...points].sort())
})
