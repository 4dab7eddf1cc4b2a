import { setTimeout as pause } from 'node:timers/promises'
import { expect } from 'vitest'
import { openDatabase, type Session } from '../../src/engine/database.ts'
import { headHolder } from '../../src/engine/log.ts'
import { createTestDatabase } from '../database.ts'
import { delivered, expectSound } from './checker.ts'
import { BUSY_MS, caughtUp, owns, until } from './ownership.ts'
import { type Random, seededTest } from './seed.ts'
import { type Host, startHost } from './supervisor.ts'
import { quantile, startWorkload, type Workload } from './workload.ts'

/** How long a command waits for a row or for the log's head: whoever waited with it would show. */
const LOCK_MS = 2_000
/** No command outlives it (PROOF, I12). */
const DEADLINE_MS = 10_000
/** Beyond twice the baseline, what two processes and their tests on two cores may add; far from what waiting would. */
const NOISE_MS = LOCK_MS / 2

/** Two writers, of which the first runs the consumers, and somebody with psql. */
async function scene() {
  const { url } = await createTestDatabase()
  const db = openDatabase(url)
  const options = { lockTimeoutMs: LOCK_MS }
  const one = await startHost(url, { consume: true, options })
  const two = await startHost(url, { options })
  await owns(db, one.name)
  await one.execute({ id: 'held', text: 'before' }, { key: 'before', correlationId: 'before' })
  const stranger = openDatabase(url, { name: 'a stranger', idleInTransactionMs: 0, deadlineMs: 0 })
  return {
    db,
    hosts: [one, two] as const,
    async strangerBegins(how = 'begin') {
      const session = await stranger.reserve()
      await session.text(how)
      return session
    },
    async close(workloads: Workload[]) {
      await Promise.all(workloads.map((workload) => workload.finish()))
      await caughtUp(db)
      const calls = workloads.flatMap((workload) => workload.calls)
      await expectSound(db, calls)
      expect(await delivered(db)).toEqual([])
      expect([...one.unhandled, ...two.unhandled]).toEqual([])
      await Promise.all([one.close(), two.close(), stranger.close()])
      await db.close()
    },
  }
}

/** Both writers under load on the same 20 notes. */
const load = (random: Random, hosts: readonly Host[]) =>
  hosts.map((host) => startWorkload(() => host, random, { callers: 5, pauseMs: 10 }))

const p99 = (workloads: Workload[]) =>
  quantile(
    workloads.flatMap((workload) => workload.latenciesMs),
    0.99,
  )

async function release(session: Session) {
  await session`rollback`
  session.release()
}

seededTest(
  'while a stranger holds a row, commands for it are refused with his pid, and all others take as long as ever',
  async (random) => {
    const { hosts, strangerBegins, close } = await scene()
    const warm = load(random, hosts)
    await pause(1_000)
    await Promise.all(warm.map((workload) => workload.finish()))
    const before = load(random, hosts)
    await pause(1_500)
    await Promise.all(before.map((workload) => workload.finish()))

    const snapshot = await strangerBegins('begin isolation level repeatable read')
    await snapshot`select count(*) from notes`
    await pause(50)
    const holder = await strangerBegins()
    await holder`select from notes where id = 'note/held' for update`
    const during = load(random, hosts)
    const refusals = Promise.all(
      hosts.flatMap((host) =>
        [1, 2, 3].map(async (n) => {
          for (let times = 0; times < 3; times++) {
            const since = performance.now()
            const refusal = await host.execute({ id: 'held', text: `no ${n}` }).then(
              () => undefined,
              (error) => error,
            )
            expect(refusal).toMatchObject({ name: 'Unavailable', detail: { entity: 'note/held' } })
            expect(refusal.detail.blockedBy[0]).toBe(holder.pid)
            expect(refusal.message).toContain(`pid ${holder.pid}`)
            expect(performance.now() - since).toBeLessThan(DEADLINE_MS)
          }
        }),
      ),
    )
    await refusals
    await Promise.all(during.map((workload) => workload.finish()))
    expect(p99(during)).toBeLessThan(2 * p99(before) + NOISE_MS)
    await release(holder)
    await release(snapshot)
    const after = { key: 'after', correlationId: 'after' }
    expect((await hosts[1].execute({ id: 'held', text: 'after' }, after)).versions).toEqual({ 'note/held': 2 })
    await close([...warm, ...before, ...during])
  },
)

seededTest(
  "while a stranger holds the log's head, health names him, and everybody goes on when he lets go",
  async (random) => {
    const { db, hosts, strangerBegins, close } = await scene()
    const workloads = load(random, hosts)
    await pause(300)
    const holder = await strangerBegins()
    await holder`select from lockstep.head for update`
    // Answers to what was committed before may still be on their way.
    const carriedOut = () => workloads.flatMap(({ calls }) => calls).filter((call) => call.outcome === 'ok').length
    for (let before = -1; before !== carriedOut(); await pause(200)) before = carriedOut()
    expect(await headHolder(db)).toMatchObject({ pid: holder.pid, application: 'a stranger' })
    const since = carriedOut()
    await pause(500)
    expect(carriedOut() - since).toBe(0)
    await release(holder)
    await until(() => carriedOut() > since)
    await close(workloads)
    expect(p99(workloads)).toBeLessThan(3_000 + BUSY_MS)
  },
)

seededTest("who holds the log's head for longer than writers wait is named to each of them", async () => {
  const { hosts, strangerBegins, close } = await scene()
  const holder = await strangerBegins()
  await holder`update lockstep.head set position = position`
  const refusals = await Promise.all(
    hosts.map((host, n) => host.execute({ id: `${n}`, text: 'x' }).catch((error) => error)),
  )
  for (const refusal of refusals) {
    expect(refusal).toMatchObject({ name: 'Unavailable', detail: { blockedBy: [holder.pid] } })
    expect(refusal.message).toContain('head')
  }
  await release(holder)
  const key = { key: 'on', correlationId: 'on' }
  expect((await hosts[0].execute({ id: '1', text: 'x' }, key)).versions).toEqual({ 'note/1': 1 })
  await close([])
})
