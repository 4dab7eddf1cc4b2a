/** Postgres ends in every way there is, again and again, under load. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, expect } from 'vitest'
import { type EmbeddedPostgres, openEmbeddedPostgres } from '../../src/app/postgres.ts'
import { openDatabase } from '../../src/engine/database.ts'
import { delivered, expectSound, oneLeader, watch } from './checker.ts'
import { caughtUp, owns } from './ownership.ts'
import { seededTest } from './seed.ts'
import { startHost } from './supervisor.ts'
import { startWorkload } from './workload.ts'

let directory: string
let server: EmbeddedPostgres

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockstep-restarts-'))
  server = await openEmbeddedPostgres({ directory })
})
afterAll(async () => {
  await server.close()
  await rm(directory, { recursive: true, force: true })
})

/** The signals by which a postmaster stops fast, at once, or dies. */
const ends = ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const

const postmaster = async () =>
  Number((await readFile(join(directory, 'data', 'postmaster.pid'), 'utf8')).split('\n')[0])

seededTest(
  'with Postgres restarted fast, at once and by kill -9, and every session ended now and then, no command is lost or doubled',
  async (random, seed) => {
    const url = new URL(server.url)
    url.pathname = `/restarts_${seed}`
    const admin = openDatabase(server.url)
    await admin.text(`create database restarts_${seed}`)
    await admin.close()
    const host = await startHost(url.href, { consume: true, options: { deadlineMs: 8_000, batchMost: 4 } })
    const db = openDatabase(url.href)
    await watch(db)
    await owns(db, host.name)
    const workload = startWorkload(() => host, random, { callers: 12, pauseMs: 5 })
    for (const end of [...ends, 'sessions'] as const) {
      await pause(random.between(500, 1_200))
      if (end === 'sessions') {
        await db`select pg_terminate_backend(pid) from pg_stat_activity where application_name = ${host.name}`
      } else process.kill(await postmaster(), end)
      await back()
    }
    const healed = performance.now()
    await workload.finish()
    await caughtUp(db)
    expect(performance.now() - healed).toBeLessThan(30_000)
    await expectSound(db, workload.calls)
    expect([...(await delivered(db)), ...(await oneLeader(db))]).toEqual([])
    expect(host.unhandled).toEqual([])
    expect(host.isRunning()).toBe(true)
    await host.close()
    await db.close()

    /** Commands are carried out again. */
    async function back() {
      const done = workload.calls.length
      const since = performance.now()
      while (workload.calls.length < done + 20) {
        if (performance.now() - since > 60_000) throw new Error('no command was carried out within a minute')
        await pause(20)
      }
    }
  },
)
