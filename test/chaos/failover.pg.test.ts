/** A standby takes the place of a primary that is gone: with all that was acknowledged, or, replicated asynchronously, without the last of it. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { verifyInventory } from '../../src/services/inventory/verify.ts'
import { type Call, delivered, expectSound, keylessAcknowledged, oneLeader, watch } from './checker.ts'
import { openWire } from './network.ts'
import { caughtUp, owns, until } from './ownership.ts'
import { startReplicas } from './replicas.ts'
import { seededTest } from './seed.ts'
import { type Host, startHost } from './supervisor.ts'
import { outcomeOf, startWorkload } from './workload.ts'

const options = { deadlineMs: 8_000, batchMost: 4 }
const UNITS = 200

/** More orders than there are units, over some seconds. */
async function sellAll(host: Host): Promise<Call[]> {
  await host.execute({ type: 'set-initial', sku: 'HOT', productId: 'p', warehouseId: 'main', quantity: UNITS })
  const caller = async (n: number) => {
    const calls: Call[] = []
    for (let m = 0; m < 60; m++) {
      const orderId = `order-${n}-${m}`
      const order = () =>
        host.execute(
          { type: 'order', orderId, lines: [{ sku: 'HOT', quantity: 1 }] },
          { key: orderId, correlationId: orderId },
        )
      calls.push(await outcomeOf(order, orderId, { refusal: 'insufficient-stock' }))
      await pause(50)
    }
    return calls
  }
  return (await Promise.all(Array.from({ length: 5 }, (_, n) => caller(n)))).flat()
}

seededTest(
  'with a synchronous standby a failover loses nothing that was acknowledged, and all goes on by itself',
  async (random) => {
    const replicas = await startReplicas({ synchronous: true })
    const wire = await openWire(replicas.url)
    const host = await startHost(wire.url, { consume: true, inventory: true, options })
    const before = openDatabase(replicas.url)
    await watch(before)
    await owns(before, host.name)
    const keyed = startWorkload(() => host, random, { callers: 12, pauseMs: 5 })
    const keyless = startWorkload(() => host, random, { callers: 4, pauseMs: 5, keys: false })
    const sales = sellAll(host)
    await pause(random.between(1_500, 3_000))
    await replicas.killPrimary()
    const acknowledged = keyed.calls.length
    expect(acknowledged).toBeGreaterThan(20)
    wire.down()
    await replicas.promote()
    wire.repoint(replicas.standbyUrl)
    wire.heal()
    const healed = performance.now()
    await until(() => keyed.calls.length > acknowledged + 50)
    await Promise.all([keyed.finish(), keyless.finish()])
    const sold = (await sales).filter((call) => call.outcome === 'ok').map((call) => call.key)
    const db = openDatabase(replicas.standbyUrl)
    await caughtUp(db)
    expect(performance.now() - healed).toBeLessThan(30_000)
    await expectSound(db, keyed.calls)
    expect([...(await keylessAcknowledged(db, keyless.calls)), ...(await delivered(db))]).toEqual([])
    expect([...(await oneLeader(db)), ...(await verifyInventory(db))]).toEqual([])
    const ledger = await db<{ reference: string }>`
      select reference from inventory.ledger where reference_type = 'ORDER' and on_hand_delta = -1`
    expect(ledger.map((row) => row.reference).sort()).toEqual(sold.sort())
    expect(sold.length).toBe(UNITS)
    expect(host.unhandled).toEqual([])
    expect(host.isRunning()).toBe(true)
    await host.close()
    await Promise.all([before.close(), db.close()])
  },
)
