/** A Redis server without persistence that can be killed, stopped and started again at the same address: the machine's own, or Debian's. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'

const run = promisify(execFile)

export interface RedisServer {
  url: string
  /** Dies without a word, as in a crash. */
  kill(): Promise<void>
  /** Empty again, at the same address. */
  start(): Promise<void>
  /** Keeps its connections and answers nothing, until it goes on. */
  pause(): void
  resume(): void
  close(): Promise<void>
}

export async function startRedisServer(...settings: string[]): Promise<RedisServer> {
  const program = await redisServer()
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-redis-'))
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  const start = async () => {
    child = await started(program, ['--port', String(port), '--dir', directory, ...settings], url)
  }
  const kill = async () => {
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    child.kill('SIGKILL')
    await gone
  }
  const close = async () => {
    await kill()
    await rm(directory, { recursive: true, force: true })
  }
  await start()
  return { url, kill, start, pause: () => child?.kill('SIGSTOP'), resume: () => child?.kill('SIGCONT'), close }
}

interface Program {
  path: string
  libraries?: string
}

const quiet = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--daemonize', 'no', '--logfile', '']

async function started({ path, libraries }: Program, settings: string[], url: string): Promise<ChildProcess> {
  const env = { ...process.env, ...(libraries !== undefined && { LD_LIBRARY_PATH: libraries }) }
  const child = spawn(path, [...quiet, ...settings], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stdout?.on('data', (text) => (said += text))
  child.stderr?.on('data', (text) => (said += text))
  const ended = once(child, 'exit').then(() => {
    throw new Error(`redis-server ended: ${said.slice(-2_000)}`)
  })
  ended.catch(() => {})
  const client = new Redis(url, { retryStrategy: () => 20, maxRetriesPerRequest: 250 })
  client.on('error', () => {})
  try {
    await Promise.race([client.ping(), ended])
  } finally {
    client.disconnect()
  }
  process.once('exit', () => child.kill('SIGKILL'))
  return child
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  return typeof address === 'object' && address ? address.port : 0
}

/** The machine's own, else Debian's packages unpacked below node_modules: nothing is installed, and root is not needed. */
async function redisServer(): Promise<Program> {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, 'redis-server')
    if (await exists(path)) return { path }
  }
  const kept = join(import.meta.dirname, '..', 'node_modules', '.cache', 'lockstep-redis')
  if (!(await exists(join(kept, 'usr', 'bin', 'redis-server')))) await fetchInto(kept)
  const libraries = join(kept, 'usr', 'lib')
  const folders = (await readdir(libraries, { withFileTypes: true })).filter((entry) => entry.isDirectory())
  return {
    path: join(kept, 'usr', 'bin', 'redis-server'),
    libraries: folders.map(({ name }) => join(libraries, name)).join(delimiter),
  }
}

const packages = ['redis-server', 'redis-tools', 'liblzf1', 'libjemalloc2']

/** Made beside and moved into place at once: several test runs may do it at the same time, and one killed half-way leaves nothing behind that counts. */
async function fetchInto(kept: string): Promise<void> {
  await mkdir(join(kept, '..'), { recursive: true })
  const draft = await mkdtemp(`${kept}-`)
  try {
    await download(draft)
    const files = (await readdir(draft)).filter((name) => name.endsWith('.deb'))
    for (const file of files) await run('dpkg-deb', ['-x', join(draft, file), join(draft, 'root')])
    await rename(join(draft, 'root'), kept).catch(async (error) => {
      if (!(await exists(join(kept, 'usr', 'bin', 'redis-server')))) throw error // else somebody was faster
    })
  } catch (error) {
    throw new Error('these tests need redis-server: install it (apt-get install redis-server, brew install redis)', {
      cause: error,
    })
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
}

async function download(folder: string): Promise<void> {
  const timeout = 60_000
  try {
    await run('apt-get', ['download', ...packages], { cwd: folder, timeout })
  } catch {
    // Without package lists, as in a fresh container: with lists of our own.
    const own = ['-o', `Dir::State=${folder}/state`, '-o', `Dir::Cache=${folder}/cache`]
    await mkdir(join(folder, 'state', 'lists', 'partial'), { recursive: true })
    await mkdir(join(folder, 'cache', 'archives', 'partial'), { recursive: true })
    await run('apt-get', [...own, 'update'], { cwd: folder, timeout })
    await run('apt-get', [...own, 'download', ...packages], { cwd: folder, timeout })
  }
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )
