/**
 * Ten times as many commands as can be carried out, from callers who come again. Two busy cores can't offer ten times what one of them serves: so each
 * command takes Postgres 25 milliseconds, beside which what the cores do counts for little, and the surge lasts six seconds where PROOF has twenty.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Database, openDatabase } from '../../src/engine/database.ts'
import { createTestDatabase } from '../database.ts'
import { type Call, delivered, expectSound } from './checker.ts'
import { caughtUp, owns } from './ownership.ts'
import { type Random, seededTest } from './seed.ts'
import { type Host, startHost } from './supervisor.ts'
import { quantile, startWorkload } from './workload.ts'

const COMMAND_MS = 25
const SURGE_MS = 6_000
const TIMES = 10
const COME_AGAIN_MS = 2_000
const DEADLINE_MS = 10_000

const slowDown = (db: Database) =>
  db.text(`
    create function dawdle() returns trigger language plpgsql as $$
    begin
      perform pg_sleep(${COMMAND_MS / 1_000});
      return new;
    end $$;
    create trigger dawdle before insert on lockstep.commands for each row execute function dawdle();`)

/** Under so much load as there is no waiting for; how many commands a second were carried out. */
async function steady(host: Host, random: Random) {
  const since = performance.now()
  const workload = startWorkload(() => host, random, { callers: 30, entities: 200 })
  await pause(2_000)
  await workload.finish()
  const done = workload.calls.filter((call) => call.outcome === 'ok').length
  return { ...workload, perSecond: (done * 1_000) / (performance.now() - since) }
}

/** So many new commands a second, whatever becomes of the ones before. Who is turned away comes again, until the surge is over. */
async function surge(host: Host, perSecond: number) {
  const calls: Call[] = []
  const waits = { ok: [] as number[], refused: [] as number[] }
  const since = performance.now()
  const isOver = () => performance.now() - since > SURGE_MS
  const caller = async (n: number) => {
    const key = `surge-${n}`
    for (;;) {
      const came = performance.now()
      const outcome = await host
        .execute({ id: String(n % 500), text: key }, { key, correlationId: key })
        .catch((error: Error) => error)
      const refused = outcome instanceof Error
      if (refused && outcome.name !== 'Unavailable') throw outcome
      waits[refused ? 'refused' : 'ok'].push(performance.now() - came)
      if (!refused) return calls.push({ key, outcome: 'ok', executed: outcome })
      if (isOver()) return calls.push({ key, outcome: 'refused' })
      await pause(COME_AGAIN_MS)
    }
  }
  const callers: Promise<unknown>[] = []
  while (!isOver()) {
    const due = ((performance.now() - since) * perSecond) / 1_000
    while (callers.length < due) callers.push(caller(callers.length))
    await pause(20)
  }
  await Promise.all(callers)
  const tookMs = performance.now() - since
  return { calls, waits, perSecond: (waits.ok.length * 1_000) / tookMs, drainedMs: tookMs - SURGE_MS }
}

seededTest(
  'of ten times what can be carried out the excess is turned away at once, the rest is done as fast as ever and in time, and then all is as before',
  async (random) => {
    const { url } = await createTestDatabase()
    const host = await startHost(url, { consume: true, options: { deadlineMs: DEADLINE_MS } })
    const db = openDatabase(url)
    await owns(db, host.name)
    await slowDown(db)
    const before = await steady(host, random)
    const during = await surge(host, TIMES * before.perSecond)
    const after = await steady(host, random)

    expect(during.waits.refused.length).toBeGreaterThan(during.waits.ok.length)
    // PROOF has 100 ms, and an idle machine 10: a busy one is measured by itself.
    expect(quantile(during.waits.refused, 0.5)).toBeLessThan(quantile(during.waits.ok, 0.5) / 4)
    expect(quantile([...during.waits.ok, ...during.waits.refused], 0.95)).toBeLessThan(DEADLINE_MS)
    expect(during.perSecond).toBeGreaterThan(0.8 * before.perSecond)
    expect(during.drainedMs).toBeLessThan(DEADLINE_MS)
    expect(after.perSecond).toBeGreaterThan(0.8 * before.perSecond)
    expect(after.repeats).toBe(0)
    await caughtUp(db)
    await expectSound(db, [...before.calls, ...during.calls, ...after.calls])
    expect(await delivered(db)).toEqual([])
    expect(host.unhandled).toEqual([])
    await host.close()
    await db.close()
  },
)
