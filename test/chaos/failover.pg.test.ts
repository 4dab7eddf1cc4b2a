/** A standby takes the place of a primary that is gone: with all that was acknowledged, or, replicated asynchronously, without the last of it. */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Database, openDatabase } from '../../src/engine/database.ts'
import { listLost } from '../../src/engine/losses.ts'
import { verifyInventory } from '../../src/services/inventory/verify.ts'
import { type Call, delivered, expectSound, keylessAcknowledged, oneLeader, watch } from './checker.ts'
import { openWire } from './network.ts'
import { caughtUp, owns, until } from './ownership.ts'
import { runProgram, startProgram } from './program.ts'
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
    await until(() => keyed.calls.length > 20)
    await replicas.killPrimary()
    const acknowledged = keyed.calls.length
    wire.repoint(replicas.standbyUrl) // before it is promoted: one that only lags has lost nothing
    await pause(500)
    await replicas.promote()
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

seededTest(
  'commits that a failover to a lagging standby lost are told: every process ends, nothing takes their positions until a person has accepted the loss, then all goes on',
  async (random) => {
    const replicas = await startReplicas({ synchronous: false })
    const wire = await openWire(replicas.url)
    const start = () => startHost(wire.url, { consume: true, options })
    let hosts = [await start(), await start()]
    const before = openDatabase(replicas.url)
    await watch(before)
    const workload = startWorkload(() => random.pick(hosts), random, { callers: 8, pauseMs: 5 })
    await pause(random.between(500, 1_000))
    await replicas.inStep()
    replicas.isolate()
    const behind = await end(before)
    await until(async () => (await end(before)) > behind + 50)
    await caughtUp(before)
    await replicas.killPrimary()
    wire.repoint(replicas.standbyUrl) // before it is promoted: one that only lags has lost nothing
    await pause(500)
    await replicas.promote()
    const db = openDatabase(replicas.standbyUrl)
    const kept = await end(db)

    // Whoever has seen what is lost keeps it, ends, and carries out nothing more; nor does who comes later.
    await until(() => hosts.every((host) => host.unhandled.length > 0))
    for (const host of hosts) expect(host.unhandled.join()).toContain('LogBroken: log went back')
    const late = await start()
    for (const host of [...hosts, late])
      await expect(host.execute({ id: 'x', text: 'y' })).rejects.toThrow(/^log went back: \d+ events from/)
    expect(await end(db)).toBe(kept)
    expect(await db`select from lockstep.consumers where owner = ${late.name}`).toHaveLength(0)

    await tellsHowToGoOn(replicas.standbyUrl)
    hosts = [late]
    const taken = workload.calls.length
    await until(() => workload.calls.length > taken + 50)
    await workload.finish()
    await owns(db, late.name)
    await caughtUp(db)
    const lost = new Set((await listLost(db, { all: true })).map((event) => event.meta.correlationId))
    expect(lost.size).toBeGreaterThan(40)
    await expectSound(
      db,
      workload.calls.filter((call) => !lost.has(call.key)),
    )
    expect([...(await delivered(db)), ...(await oneLeader(db))]).toEqual([])
    expect(late.unhandled).toEqual([])
    await Promise.all([...hosts, late].map((host) => host.close()))
    await Promise.all([before.close(), db.close()])
  },
)

/** What a person sees of it, and does. */
async function tellsHowToGoOn(url: string) {
  const settings = { DATABASE_URL: url }
  const program = await startProgram({ settings })
  const lamp = { id: 'lamp', title: 'Lamp', variants: [{ sku: 'L', price: { amount: 1, currency: 'EUR' } }] }
  const [health, write, read] = await Promise.all([
    program.call('/health/ready'),
    program.call('/products', 'POST', lamp),
    program.call('/products?limit=1'),
  ])
  expect([health.status, write.status, read.status]).toEqual([503, 503, 200])
  const told = /log went back: \d+ events from \d+ to \d+ were seen .* \(lockstep losses ls\)/
  expect(health.body.checks.log).toMatch(told)
  expect(write.body).toMatchObject({ type: expect.stringMatching(/unavailable$/), detail: expect.stringMatching(told) })
  const asked = await Promise.all(
    [['doctor'], ['status'], ['losses', 'ls']].map((args) => runProgram({ settings }, args)),
  )
  expect(asked.map(({ ended }) => ended)).toEqual([6, 0, 6])
  for (const [n, { told: text }] of asked.entries())
    expect(text).toMatch(n === 2 ? /note\.written +note\/\d+@\d+/ : told)
  const accepted = await runProgram({ settings }, ['losses', 'accept', '--yes'])
  expect(accepted).toMatchObject({ ended: 0, told: expect.stringContaining('are accepted as lost') })
  await until(async () => (await program.call('/health/ready')).status === 200)
  expect((await program.call('/products', 'POST', lamp)).status).toBe(201)
  await program.close()
}

const end = async (db: Database) =>
  (await db<{ position: number }>`select position from lockstep.head`)[0]?.position ?? 0
