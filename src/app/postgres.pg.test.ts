import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { type EmbeddedPostgres, openEmbeddedPostgres } from './postgres.ts'

let prepared: string

beforeAll(async () => {
  prepared = await mkdtemp(join(tmpdir(), 'lockstep-embedded-'))
  await (await openEmbeddedPostgres({ directory: join(prepared, 'postgres') })).close()
})

afterAll(() => rm(prepared, { recursive: true, force: true }))

/** A cluster that was never used, which is much faster to copy than to create. */
async function freshDirectory(): Promise<string> {
  const directory = await emptyDirectory()
  await promisify(execFile)('cp', ['-a', join(prepared, 'postgres'), directory])
  return directory
}

async function emptyDirectory(): Promise<string> {
  const parent = await mkdtemp(join(tmpdir(), 'lockstep-embedded-'))
  const directory = join(parent, 'postgres')
  onTestFinished(async () => {
    const left = await serverPid(directory).catch(() => undefined)
    if (left) process.kill(left, 'SIGKILL') // the test failed, or killed the last process that would have stopped it
    await rm(parent, { recursive: true, force: true })
  })
  return directory
}

async function opened(directory: string): Promise<EmbeddedPostgres> {
  const server = await openEmbeddedPostgres({ directory, settings: { shared_buffers: '16MB' } })
  onTestFinished(() => server.close())
  return server
}

/** Opens the directory in a process of its own, which then stays until its stdin ends or it is killed; told anything it ends at once. */
async function openedElsewhere(directory: string): Promise<{ url: string; adopted: boolean; process: ChildProcess }> {
  const script = `
    import { openEmbeddedPostgres } from ${JSON.stringify(new URL('./postgres.ts', import.meta.url).href)}
    const server = await openEmbeddedPostgres({ directory: process.argv[1], settings: { shared_buffers: '16MB' } })
    console.log(JSON.stringify({ url: server.url, adopted: server.adopted }))
    process.stdin.on('data', () => process.exit()).on('end', () => server.close())`
  const owner = spawn(process.execPath, ['--input-type=module', '-e', script, directory], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void owner.kill('SIGKILL'))
  const [line] = await once(createInterface(owner.stdout), 'line')
  return { ...JSON.parse(line), process: owner }
}

async function query(url: string, statement: string): Promise<unknown[]> {
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    return (await client.query({ text: statement, rowMode: 'array' })).rows.flat()
  } finally {
    await client.end()
  }
}

const serverPid = async (directory: string) =>
  Number((await readFile(join(directory, 'data', 'postmaster.pid'), 'utf8')).split('\n')[0])

test('what was written is there after a restart, and writes are durable', async () => {
  const directory = await freshDirectory()
  const first = await opened(directory)
  expect(first.adopted).toBe(false)
  expect(await query(first.url, 'show fsync')).toEqual(['on'])
  expect(await query(first.url, 'show synchronous_commit')).toEqual(['on'])
  await query(first.url, 'create table kept as select 42 as answer')
  await first.close()

  const second = await opened(directory)
  expect(await query(second.url, 'select answer from kept')).toEqual([42])
})

test('nobody gets in without the password', async () => {
  const { url } = await opened(await freshDirectory())
  const stranger = new URL(url)
  stranger.password = 'guess'
  await expect(query(stranger.href, 'select 1')).rejects.toThrow('password authentication failed')
})

test('a server whose owner was killed is adopted, data and all, and stopped by its adopter', async () => {
  const directory = await freshDirectory()
  const owner = await openedElsewhere(directory)
  await query(owner.url, 'create table kept as select 42 as answer')
  const pid = await serverPid(directory)
  owner.process.kill('SIGKILL')
  await once(owner.process, 'exit')

  const server = await opened(directory)
  expect(server).toMatchObject({ url: owner.url, adopted: true })
  expect(await serverPid(directory)).toBe(pid)
  expect(await query(server.url, 'select answer from kept')).toEqual([42])
  await server.close()
  await expect(query(server.url, 'select 1')).rejects.toThrow('ECONNREFUSED')
})

test('a process that ends without closing has the server stopped behind it, unless another one uses it', async () => {
  const directory = await freshDirectory()
  const server = await opened(directory)
  const hasty = await openedElsewhere(directory)
  hasty.process.stdin?.end('exit')
  await once(hasty.process, 'exit')
  expect(await query(server.url, 'select 1')).toEqual([1])
  await server.close()

  const alone = await openedElsewhere(directory)
  const pid = await serverPid(directory)
  alone.process.stdin?.end('exit')
  await once(alone.process, 'exit')
  await vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow('ESRCH'), 30_000)
})

test('the last one out stops the server, nobody before', async () => {
  const directory = await freshDirectory()
  const here = await opened(directory)
  const there = await openedElsewhere(directory)
  expect(there.adopted).toBe(true)
  await here.close()
  expect(await query(there.url, 'select 1')).toEqual([1])
  there.process.stdin?.end()
  await once(there.process, 'exit')
  await expect(query(there.url, 'select 1')).rejects.toThrow('ECONNREFUSED')
})

test('a program that only connects as lockstep keeps the server up', async () => {
  const directory = await freshDirectory()
  const first = await opened(directory)
  const program = new Client({ connectionString: first.url, application_name: 'lockstep import' })
  await program.connect()
  await first.close()
  expect((await program.query('select 1 as one')).rows).toEqual([{ one: 1 }])
  await program.end()

  const second = await opened(directory)
  expect(second.adopted).toBe(true)
  await second.close()
  await expect(query(first.url, 'select 1')).rejects.toThrow('ECONNREFUSED')
})

test('openers at the same instant share one server, also when there was no directory', async () => {
  const directory = await emptyDirectory()
  const all = await Promise.all([opened(directory), openedElsewhere(directory), opened(directory)])
  expect(new Set(all.map((server) => server.url)).size).toBe(1)
  expect(all.filter((server) => !server.adopted)).toHaveLength(1)
  expect((await readdir(directory)).sort()).toEqual(['data', 'postgres.log'])
})

test('who opens while the last one leaves gets a server that stays', async () => {
  const directory = await freshDirectory()
  let last = await opened(directory)
  for (let round = 0; round < 5; round++) {
    const [, next] = await Promise.all([last.close(), opened(directory)])
    expect(await query(next.url, 'select 1')).toEqual([1])
    last = next
  }
})

test('a leftover postmaster.pid does not hinder a start, even when its number now belongs to another program', async () => {
  const directory = await freshDirectory()
  await (await opened(directory)).close()
  const pidFile = join(directory, 'data', 'postmaster.pid')
  await writeFile(pidFile, `${process.pid}\n${join(directory, 'data')}\n1700000000\n5432\n\n127.0.0.1\n0 0\nready   \n`)
  const server = await opened(directory)
  expect(server.adopted).toBe(false)
  expect(await query(server.url, 'select 1')).toEqual([1])
})

test('a server killed with its owner recovers what was committed', async () => {
  const directory = await freshDirectory()
  const first = await openedElsewhere(directory)
  await query(first.url, 'create table kept as select 42 as answer')
  first.process.kill('SIGKILL')
  process.kill(await serverPid(directory), 'SIGKILL')
  const second = await opened(directory)
  expect(await query(second.url, 'select answer from kept')).toEqual([42])
})

test('a server that dies while it is open is started again where it was', async () => {
  const directory = await freshDirectory()
  const { promise: back, resolve } = Promise.withResolvers<void>()
  const log = (line: string) => line === 'PostgreSQL had ended and was started again' && resolve()
  const server = await openEmbeddedPostgres({ directory, log })
  onTestFinished(() => server.close())
  await query(server.url, 'create table kept as select 42 as answer')
  process.kill(await serverPid(directory), 'SIGKILL')
  await back
  expect(await query(server.url, 'select answer from kept')).toEqual([42])
  await server.close()
  await expect(query(server.url, 'select 1')).rejects.toThrow('ECONNREFUSED')
})

test('a session that is thrown out still counts as present', async () => {
  const directory = await freshDirectory()
  const [here, there] = [await opened(directory), await opened(directory)]
  const presence = `application_name = 'presence of lockstep'`
  await query(here.url, `select pg_terminate_backend(pid) from pg_stat_activity where ${presence}`)
  const counted = `select count(*)::int from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and ${presence}`
  await expect.poll(() => query(here.url, counted)).toEqual([2])
  await here.close()
  expect(await query(there.url, 'select 1')).toEqual([1])
})

test('a directory that was half created starts afresh', async () => {
  const directory = await emptyDirectory()
  await mkdir(join(directory, 'initdb-crashed', 'data', 'base'), { recursive: true })
  const server = await opened(directory)
  expect(await query(server.url, 'select 1')).toEqual([1])
  expect((await readdir(directory)).sort()).toEqual(['data', 'postgres.log'])
})

test('a path that cannot be a directory is refused with the name of its setting', async () => {
  const directory = await emptyDirectory()
  await writeFile(directory, 'a file')
  await expect(openEmbeddedPostgres({ directory })).rejects.toThrow('LOCKSTEP_DATA')
})

test('a setting the server refuses is reported in its own words', async () => {
  const refused = openEmbeddedPostgres({ directory: await freshDirectory(), settings: { shared_buffers: 'plenty' } })
  await expect(refused).rejects.toThrow('invalid value for parameter "shared_buffers": "plenty"')
})
