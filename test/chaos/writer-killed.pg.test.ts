import { expect, test } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { createTestDatabase } from '../database.ts'
import { expectSound } from './checker.ts'
import { BUSY_MS } from './ownership.ts'
import { seededTest } from './seed.ts'
import { failpointsHit, type Host, startHost } from './supervisor.ts'
import { startWorkload } from './workload.ts'

/** PROOF, experiment 1: after a restart, until the first command is carried out. */
const FIRST_MS = 5_000
const points = ['before-begin', 'rows-locked', 'states-written', 'after-append', 'committed', 'answered']

for (const point of points) {
  seededTest(
    `a writer killed at ${point} loses and doubles nothing: every caller gets its one outcome through its key`,
    async (random) => {
      const { url } = await createTestDatabase()
      let host: Host | undefined = await startHost(url, { failpoints: `${point}=kill@${random.between(2, 12)}` })
      const workload = startWorkload(() => host, random, { callers: 40, each: 12 })
      expect(await host.exited).toBe('SIGKILL')
      host = undefined
      const restarted = performance.now()
      host = await startHost(url)
      const started = host
      const first = started.execute(
        { id: 'first', text: 'after the restart' },
        { key: 'first', correlationId: 'first' },
      )
      expect((await first).versions).toEqual({ 'note/first': 1 })
      expect(performance.now() - restarted).toBeLessThan(FIRST_MS + BUSY_MS)
      await workload.finish()

      const db = openDatabase(url)
      await expectSound(db, workload.calls)
      const again = workload.calls.filter((call) => call.outcome === 'ok').slice(0, 20)
      for (const { key, executed } of again) {
        const [event] = await db<{ entity: string; text: string }>`
        select entity, data ->> 'text' as text from lockstep.events where meta ->> 'correlationId' = ${key}`
        const command = { id: event?.entity.slice('note/'.length) ?? '', text: event?.text ?? '' }
        const repeated = await started.execute(command, { key })
        expect(repeated).toEqual({ ...executed, repeated: true })
      }
      await db.close()
      await started.close()
      expect(started.unhandled).toEqual([])
    },
  )
}

test('every point at which the writer was to be killed was reached', () => {
  expect(Object.keys(failpointsHit()).sort()).toEqual([...points].sort())
})
