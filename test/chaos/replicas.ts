/** A primary and a standby that streams from it, to fail over from one to the other. Neither outlives its test file. */
import { execFile } from 'node:child_process'
import { appendFile, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll } from 'vitest'
import { findPrograms } from '../../src/app/postgres.ts'
import { serverAccount } from '../../src/app/postgres-account.ts'
import { Cluster } from '../../src/app/postgres-cluster.ts'
import { type Database, openDatabase } from '../../src/engine/database.ts'
import { openWire } from './network.ts'
import { until } from './ownership.ts'

export interface Replicas {
  /** The primary's database. */
  url: string
  /** The same database on the standby; writable once promoted. */
  standbyUrl: string
  /** What the primary commits from now on does not arrive at the standby. */
  isolate(): void
  /** Resolves when the standby has all that the primary has committed so far. */
  inStep(): Promise<void>
  /** The primary's machine is gone: every process of it at once. */
  killPrimary(): Promise<void>
  promote(): Promise<void>
}

const cleanUps: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const cleanUp of cleanUps.splice(0)) await cleanUp()
})

const run = promisify(execFile)
// A dead process is not a dead machine: what was written is in the kernel's hands.
const settings = { fsync: 'off', shared_buffers: '32MB', wal_keep_size: '64MB', max_wal_size: '256MB' }

/** With `synchronous` a commit is answered only once the standby has it. */
export async function startReplicas({ synchronous }: { synchronous: boolean }): Promise<Replicas> {
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-replicas-'))
  const folders = [join(directory, 'primary'), join(directory, 'standby')] as const
  await Promise.all(folders.map((folder) => mkdir(folder)))
  const programs = await findPrograms()
  const clusters = await Promise.all(
    folders.map(async (folder) => new Cluster(folder, programs, await serverAccount(folder, programs.initdb))),
  )
  const [primary, standby] = clusters as [Cluster, Cluster]
  const admins: Database[] = []
  cleanUps.push(async () => {
    await Promise.allSettled(admins.map((admin) => admin.close()))
    for (const folder of folders) await killServer(folder)
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  })

  await primary.create()
  // PostgreSQL's own tool for a copy of a running server is not among the bundled programs: a server that never ran is copied file by file.
  await run('cp', ['-a', `${folders[0]}/data`, `${folders[1]}/data`])
  await primary.start(settings)
  const url = await urlOf(primary)
  const link = await openWire(url)
  const { username, password, hostname, port } = new URL(link.url)
  await writeFile(join(folders[1], 'data', 'standby.signal'), '')
  await appendFile(
    join(folders[1], 'data', 'postgresql.auto.conf'),
    `primary_conninfo = 'host=${hostname} port=${port} user=${username} password=${password} application_name=standby'\n`,
  )
  await standby.start(settings)
  const standbyUrl = await urlOf(standby)
  const admin = openDatabase(url)
  admins.push(admin)
  await admin`create database shop`
  if (synchronous) {
    await admin`alter system set synchronous_standby_names = 'standby'`
    await admin`select pg_reload_conf()`
  }
  const inStep = async () => {
    const [now] = await admin<{ lsn: string }>`select pg_current_wal_flush_lsn()::text as lsn`
    await until(async () => {
      const [row] = await admin<{ there: boolean }>`
        select coalesce(bool_or(replay_lsn >= ${now?.lsn}::pg_lsn and (sync_state = 'sync' or ${!synchronous})), false) as there from pg_stat_replication`
      return row?.there ?? false
    })
  }
  await inStep()
  return {
    url: shop(url),
    standbyUrl: shop(standbyUrl),
    isolate: () => link.down(),
    inStep,
    killPrimary: () => killServer(folders[0]),
    async promote() {
      const there = openDatabase(standbyUrl)
      admins.push(there)
      await there`select pg_promote()`
    },
  }
}

/** The postmaster and all it has started, dead at once. */
async function killServer(folder: string) {
  const [pid = ''] = (await readFile(join(folder, 'data', 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  if (pid === '') return
  const { stdout } = await run('ps', ['-o', 'pid=', '--ppid', pid]).catch(() => ({ stdout: '' }))
  for (const each of [pid, ...stdout.split('\n').map((line) => line.trim())].filter(Boolean)) {
    try {
      process.kill(Number(each), 'SIGKILL')
    } catch {} // it has ended
  }
}

const urlOf = async (cluster: Cluster) => `${await cluster.url((await cluster.runningPort()) ?? 0)}/postgres`
const shop = (url: string) => url.replace(/\/postgres$/, '/shop')
