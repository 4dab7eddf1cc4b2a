/** What must hold for requests to be served; each check says what is wrong and what to do. */
import { headHolder } from '../engine/log.ts'
import { describeLoss, standingLoss } from '../engine/losses.ts'
import type { Check } from './http/operations.ts'
import type { System } from './system.ts'

/** The log's head is held for milliseconds; whoever holds it so long keeps every writer waiting. */
const HELD_SECONDS = 2

export function readiness({ engine, services, disk }: System): Record<string, Check> {
  const { db } = engine
  return {
    async database() {
      await db`select 1`
      return undefined
    },
    ...(disk && { disk: async () => disk.shortage() }),
    async log() {
      const loss = await standingLoss(db)
      if (loss) return describeLoss(loss)
      const holder = await headHolder(db)
      if (!holder || holder.seconds < HELD_SECONDS) return undefined
      const { pid, application, seconds } = holder
      return `pid ${pid} (${application}) has kept every writer waiting for ${seconds.toFixed(1)} s: select pg_terminate_backend(${pid})`
    },
    async consumers() {
      const names = engine.runners.map(({ consumer }) => consumer.name)
      const free = await db<{ name: string }>`
        select c.name
        from   lockstep.consumers c
        left   join lockstep.processes p on p.name = c.owner
        where  c.name = any(${names}::text[]) and not c.paused and (p.beat_at is null or p.beat_at < clock_timestamp() - interval '5 seconds')
        order  by c.name`
      return free.length === 0
        ? undefined
        : `nobody runs ${free.map(({ name }) => name).join(', ')}: it is taken over within seconds`
    },
    async caches() {
      const note = services.caches.note()
      return note === undefined ? undefined : { note }
    },
  }
}
