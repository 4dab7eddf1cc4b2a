/** One PostgreSQL data directory: creates it, finds out whether it is being served, starts and stops its server. */
import type { ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { access, mkdtemp, open, readdir, readFile, readlink, rename, rm, unlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { type Account, ProgramFailed } from './postgres-account.ts'

const superuser = 'lockstep'

/** For two cores and a few gigabytes, durable. The bundled server was built without lz4 and io_uring. */
const defaults: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '100',
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  work_mem: '16MB',
  maintenance_work_mem: '128MB',
  max_wal_size: '4GB',
  min_wal_size: '512MB',
  checkpoint_timeout: '15min',
  fsync: 'on',
  synchronous_commit: 'on',
  huge_pages: 'try',
  jit: 'off',
  random_page_cost: '1.1',
  autovacuum_naptime: '5s',
  log_checkpoints: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
}

export interface Programs {
  initdb: string
  pg_ctl: string
  postgres: string
}

export class Cluster {
  readonly logFile: string
  readonly #directory: string
  readonly #data: string
  readonly #pidFile: string
  readonly #programs: Programs
  readonly #account: Account
  /** The server when this process started it, and when it ends. */
  #child: ChildProcess | undefined
  #ended: Promise<void> | undefined

  constructor(directory: string, programs: Programs, account: Account) {
    this.logFile = join(directory, 'postgres.log')
    this.#directory = directory
    this.#data = join(directory, 'data')
    this.#pidFile = join(this.#data, 'postmaster.pid')
    this.#programs = programs
    this.#account = account
  }

  /** Creates the data directory unless it exists; it appears complete or not at all. Returns whether it was made here. */
  async create(): Promise<boolean> {
    if (await exists(join(this.#data, 'PG_VERSION'))) return false
    const draft = await mkdtemp(join(this.#directory, 'initdb-'))
    const password = join(draft, 'password')
    const data = join(draft, 'data')
    try {
      await writeFile(password, randomBytes(24).toString('base64url'), { mode: 0o600, flush: true })
      await this.#account.own(draft)
      await this.#account.own(password)
      const options = `-U ${superuser} -E UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8`.split(' ')
      await this.#account.run(this.#programs.initdb, [...options, '-A', 'scram-sha-256', '--pwfile', password, data])
      await rename(password, join(data, 'lockstep.password'))
      await rename(data, this.#data)
    } catch (error) {
      if (await exists(join(this.#data, 'PG_VERSION'))) return false // another process was faster
      throw await this.#explain(error)
    } finally {
      await rm(draft, { recursive: true, force: true })
    }
    const leftovers = (await readdir(this.#directory)).filter((name) => name.startsWith('initdb-'))
    for (const name of leftovers) await rm(join(this.#directory, name), { recursive: true, force: true })
    return true
  }

  /** The port of the server that lives in this directory, if one does. It may not answer yet, or be about to stop. */
  async runningPort(): Promise<number | undefined> {
    const content = await readFile(this.#pidFile, 'utf8').catch((error: { code?: string }) => {
      if (error.code === 'ENOENT') return ''
      throw new Error(`cannot read ${this.#pidFile}: it belongs to another user, or set LOCKSTEP_DATA elsewhere`)
    })
    const [pid, , , port] = content.split('\n')
    if (!pid) return undefined
    if (await this.#servedBy(Number(pid))) return Number(port) || 1 // the port's line follows a moment after the first
    // After a reboot the number may belong to any program, and the server would refuse to start because of it.
    const now = await readFile(this.#pidFile, 'utf8').catch(() => '')
    if (now === content) await unlink(this.#pidFile).catch(() => {})
    return undefined
  }

  async url(port: number): Promise<string> {
    const password = await readFile(join(this.#data, 'lockstep.password'), 'utf8')
    return `postgres://${superuser}:${password}@127.0.0.1:${port}`
  }

  /** Resolves when the server accepts connections; throws with the cause when it ends before. */
  async start(settings: Record<string, string>): Promise<void> {
    const values = Object.entries({ ...defaults, ...settings, port: `${await this.#freePort()}` })
    const options = values.flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const log = await open(this.logFile, 'a', 0o600)
    const server = this.#account.launch(this.#programs.postgres, ['-D', this.#data, ...options], log.fd)
    await log.close()
    server.unref()
    const ended = new Promise<void>((resolve) => server.on('exit', () => resolve()).on('error', () => resolve()))
    // Started directly instead of by pg_ctl so that it is our child: where process 1 buries nobody (many containers),
    // a stopped server would stay as a zombie.
    while (server.exitCode === null && server.pid !== undefined) {
      const lines = (await readFile(this.#pidFile, 'utf8').catch(() => '')).split('\n')
      if (Number(lines[0]) === server.pid && lines[7]?.trim() === 'ready') {
        this.#child = server
        this.#ended = ended
        return
      }
      await Promise.race([ended, pause(10)])
    }
    throw await this.#explain(new ProgramFailed([this.#programs.postgres], ''))
  }

  /** Stops the server and waits for its end; whoever is connected is thrown out. */
  async stop(): Promise<void> {
    const [pid] = (await readFile(this.#pidFile, 'utf8')).split('\n')
    await this.#account.run(this.#programs.pg_ctl, ['stop', '-W', '-s', '-m', 'fast', '-D', this.#data])
    // This server's end, not the directory's rest: another process may start the next one at once.
    while (await this.#servedBy(Number(pid))) await pause(10)
    this.#child?.ref()
    await this.#ended
  }

  /** A server works in its data directory, which tells it from a program that was given the same number later. */
  async #servedBy(pid: number): Promise<boolean> {
    if (process.platform === 'linux') {
      const folder = await readlink(`/proc/${pid}/cwd`).catch((error: { code?: string }) => error.code)
      return folder === this.#data || folder === 'EACCES'
    }
    try {
      return process.kill(pid, 0)
    } catch (error) {
      return (error as { code?: string }).code === 'EPERM'
    }
  }

  /** The last start's port if it is free, so that those who knew the server find it again. */
  async #freePort(): Promise<number> {
    const lastCommand = await readFile(join(this.#data, 'postmaster.opts'), 'utf8').catch(() => '')
    const last = Number(/"port=(\d+)"/.exec(lastCommand)?.[1] ?? 0)
    return listenable(last).catch(() => listenable(0))
  }

  async #explain(error: unknown): Promise<Error> {
    if (!(error instanceof ProgramFailed)) return error as Error
    const lines = await tail(this.logFile)
    const text = `${error.output}\n${lines}`.trim()
    const cause = /no space left|ENOSPC/i.test(text)
      ? `the disk of ${this.#directory} is full`
      : /cannot allocate memory/i.test(text)
        ? 'there is not enough memory for its shared buffers'
        : /permission denied|EACCES/i.test(text)
          ? `a file in ${this.#directory} belongs to another user; repair that or set LOCKSTEP_DATA to another folder`
          : /incompatible with server/i.test(text)
            ? `${this.#data} was made by another version of PostgreSQL; set LOCKSTEP_DATA to another folder`
            : 'see its own words'
    return new Error(`PostgreSQL does not start: ${cause}\n${text}`)
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

/** Tries a port of 127.0.0.1; 0 finds one. */
async function listenable(port: number): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve, reject) => server.on('error', reject).listen(port, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port on 127.0.0.1')
  return address.port
}

/** The last 2 kB of a file, empty when there is none. */
async function tail(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined)
  if (!file) return ''
  const { size } = await file.stat()
  const { buffer, bytesRead } = await file.read({ position: Math.max(0, size - 2_000), buffer: Buffer.alloc(2_000) })
  await file.close()
  return buffer.toString('utf8', 0, bytesRead)
}
