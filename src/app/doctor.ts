/** What the program needs of its surroundings, each looked at, with what to do when it is not right. */
import { statfs } from 'node:fs/promises'
import type { Database } from '../engine/database.ts'
import { type Config, ConfigError, readConfig } from './config.ts'
import { makeFolder } from './folder.ts'

export interface Checked {
  what: string
  /** `look`: it works, but not as it should. */
  state: 'ok' | 'look' | 'wrong'
  is: string
  next?: string
}

type Environment = Readonly<Record<string, string | undefined>>

const GIB = 2 ** 30

export async function checkMachine(env: Environment): Promise<Checked[]> {
  const checked: Checked[] = []
  const major = Number(process.versions.node.split('.')[0])
  checked.push(
    major >= 24
      ? { what: 'node', state: 'ok', is: process.version }
      : {
          what: 'node',
          state: 'wrong',
          is: process.version,
          next: 'run it by npm start or npx lockstep, which bring Node 24',
        },
  )
  let config: Config
  try {
    config = readConfig(env)
    checked.push({ what: 'configuration', state: 'ok', is: config.embedded ? 'embedded Postgres' : 'DATABASE_URL' })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return [
      ...checked,
      ...error.faults.map(
        (fault): Checked => ({ what: 'configuration', state: 'wrong', is: fault, next: 'correct it' }),
      ),
    ]
  }
  if (config.embedded) checked.push(...(await checkFolder(config.dataDirectory)))
  return checked
}

async function checkFolder(folder: string): Promise<Checked[]> {
  try {
    await makeFolder(folder)
  } catch (error) {
    return [
      {
        what: 'data folder',
        state: 'wrong',
        is: (error as Error).message,
        next: 'set LOCKSTEP_DATA to a folder that can be written to',
      },
    ]
  }
  const { bavail, bsize, blocks } = await statfs(folder)
  const free = bavail * bsize
  const is = `${(free / GIB).toFixed(1)} GiB free of ${((blocks * bsize) / GIB).toFixed(0)}`
  const next = 'make room: without it every write is refused until there is some'
  return [
    { what: 'data folder', state: 'ok', is: folder },
    {
      what: 'disk',
      is,
      ...(free < GIB / 2 ? { state: 'wrong', next } : free < 2 * GIB ? { state: 'look', next } : { state: 'ok' }),
    },
  ]
}

/** Opens the database, embedded or not, and asks it; nothing when the configuration is wrong. */
export async function checkDatabase(env: Environment): Promise<Checked[]> {
  let config: Config
  try {
    config = readConfig(env)
  } catch {
    return []
  }
  const [{ openSystem }, { pino }] = await Promise.all([import('./system.ts'), import('pino')])
  let system: Awaited<ReturnType<typeof openSystem>>
  try {
    system = await openSystem(config, { log: pino({ level: 'silent' }) })
  } catch (error) {
    const next = config.embedded
      ? 'see postgres.log in the data folder'
      : 'check DATABASE_URL, and that the server runs'
    return [{ what: 'postgres', state: 'wrong', is: (error as Error).message.split('\n')[0] ?? '', next }]
  }
  try {
    const { db } = system.engine
    return [...(await checkServer(db)), ...(await checkLog(db)), ...(await checkConsumers(db))]
  } finally {
    await system.close()
  }
}

async function checkServer(db: Database): Promise<Checked[]> {
  const asked = Date.now()
  const [row] = await db<{
    version: string
    durable: boolean
    now: number
    files: number
    oldest: number | null
    pid: number | null
  }>`
    select current_setting('server_version') as version,
           current_setting('fsync') = 'on' and current_setting('synchronous_commit') <> 'off' as durable,
           (extract(epoch from clock_timestamp()) * 1000)::float8 as now,
           (select count(*)::int from public.lockstep_migrations) as files,
           t.seconds as oldest, t.pid
    from   (select 1) one
    left   join lateral (
             select pid, extract(epoch from clock_timestamp() - xact_start)::float8 as seconds
             from   pg_stat_activity
             where  xact_start is not null and pid <> pg_backend_pid() and backend_type = 'client backend'
             order  by xact_start limit 1) t on true`
  if (!row) return []
  const apart = Math.max(0, asked - row.now, row.now - Date.now()) / 1_000
  const long = (row.oldest ?? 0) > 60
  return [
    { what: 'postgres', state: 'ok', is: row.version },
    row.durable
      ? { what: 'durability', state: 'ok', is: 'commits are on disk' }
      : {
          what: 'durability',
          state: 'look',
          is: 'a crash loses the last commits',
          next: 'set fsync and synchronous_commit on',
        },
    { what: 'schema', state: 'ok', is: `${row.files} files applied` },
    apart > 2
      ? {
          what: 'clock',
          state: 'look',
          is: `${apart.toFixed(1)} s apart from the database’s`,
          next: 'let both follow NTP',
        }
      : { what: 'clock', state: 'ok', is: 'as the database’s' },
    long
      ? {
          what: 'transactions',
          state: 'look',
          is: `one is open for ${Math.round(row.oldest ?? 0)} s, pid ${row.pid}`,
          next: `it keeps rows from being cleaned up: select pg_terminate_backend(${row.pid})`,
        }
      : { what: 'transactions', state: 'ok', is: 'none open for long' },
  ]
}

async function checkLog(db: Database): Promise<Checked[]> {
  const { headHolder, headPosition } = await import('../engine/log.ts')
  const { describeLoss, standingLoss } = await import('../engine/losses.ts')
  const [holder, end, loss] = await Promise.all([headHolder(db), headPosition(db), standingLoss(db)])
  if (loss) return [{ what: 'log', state: 'wrong', is: describeLoss(loss), next: 'lockstep losses ls' }]
  if (!holder || holder.seconds < 1)
    return [{ what: 'log', state: 'ok', is: `${end.toLocaleString('en')} events, nobody blocks it` }]
  const is = `pid ${holder.pid} (${holder.application}) has kept every writer waiting for ${holder.seconds.toFixed(0)} s`
  return [{ what: 'log', state: 'wrong', is, next: `select pg_terminate_backend(${holder.pid})` }]
}

async function checkConsumers(db: Database): Promise<Checked[]> {
  const { listConsumers } = await import('../engine/consumers.ts')
  const consumers = await listConsumers(db)
  return consumers.map(({ name, paused, owner, lagEvents, lagSeconds, dead }): Checked => {
    const what = `consumer ${name}`
    if (paused) return { what, state: 'look', is: 'paused', next: `lockstep consumers resume ${name}` }
    if (owner === null) return { what, state: 'look', is: 'nobody runs it', next: 'npx lockstep serve' }
    if (dead > 0)
      return { what, state: 'look', is: `${dead} dead letters`, next: `lockstep dead-letters ls --consumer ${name}` }
    if (lagSeconds > 60)
      return {
        what,
        state: 'look',
        is: `${lagEvents} events behind, the first for ${Math.round(lagSeconds)} s`,
        next: `lockstep consumers show ${name}`,
      }
    return {
      what,
      state: 'ok',
      is: lagEvents === 0 ? 'up to date' : `${lagEvents} ${lagEvents === 1 ? 'event' : 'events'} behind`,
    }
  })
}
