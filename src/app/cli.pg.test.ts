import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { BUSY_MS } from '../../test/chaos/ownership.ts'
import { openDatabase } from '../engine/database.ts'
import { openEmbeddedPostgres } from './postgres.ts'

// Every command is a process; on a busy machine one takes seconds to load.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

const program = fileURLToPath(new URL('cli.ts', import.meta.url))

let directory: string
let data: string
let port: number
let server: Server
let token: string
const started: ChildProcess[] = []

interface Server {
  process: ChildProcess
  url: string
  /** What people were told, and what went to stdout. */
  told(): string
  data(): string
}

interface Outcome {
  code: number
  stdout: string
  stderr: string
}

const environment = (more: Record<string, string> = {}) => {
  const { DATABASE_URL: _, LOCKSTEP_JWT_SECRET: __, ...rest } = process.env
  return {
    ...rest,
    LOCKSTEP_DATA: data,
    LOCKSTEP_DEMO: 'off',
    PORT: String(port),
    LOG_LEVEL: 'warn',
    LOCKSTEP_TIMEOUT: '60s',
    ...more,
  }
}

/** Resolves when the box is there. */
async function start(): Promise<Server> {
  const child = spawn(process.execPath, [program, 'serve'], { env: environment(), stdio: ['ignore', 'pipe', 'pipe'] })
  started.push(child)
  let told = ''
  let printed = ''
  child.stdout.on('data', (text) => (printed += text))
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (text) => {
      told += String(text)
      if (told.includes('╰')) resolve()
    })
    child.on('exit', (code) => reject(new Error(`it ended with ${code}:\n${told}`)))
  })
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(told)?.[0] ?? ''
  return { process: child, url, told: () => told, data: () => printed }
}

async function stop({ process: child }: Server, signal: NodeJS.Signals = 'SIGINT'): Promise<number | null> {
  const exit = once(child, 'exit')
  child.kill(signal)
  const [code] = await exit
  return code
}

const lockstep = (args: string[], more: Record<string, string> = {}) =>
  new Promise<Outcome>((resolve) => {
    execFile(process.execPath, [program, ...args], { env: environment(more) }, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    )
  })

// biome-ignore lint/suspicious/noExplicitAny: whatever the API answers
async function call(path: string, method = 'GET', body?: object): Promise<{ status: number; body: any }> {
  const response = await fetch(`${server.url}/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: await response.json().catch(() => undefined) }
}

const lamp = (id: string) => ({
  id,
  title: 'Desk lamp',
  variants: [{ sku: id.toUpperCase(), price: { amount: 1999, currency: 'EUR' } }],
})

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockstep-cli-'))
  data = join(directory, 'data')
  port = await freePort()
  server = await start()
  token = (await lockstep(['token', '--role', 'ADMIN'])).stdout.trim()
})

afterAll(async () => {
  for (const child of started) {
    if (child.exitCode !== null || child.signalCode !== null) continue
    const exit = once(child, 'exit')
    child.kill('SIGINT')
    await exit
  }
  await rm(directory, { recursive: true, force: true })
})

test('a start says its steps and one box with a log-in link, and keeps stdout clean', async () => {
  expect(server.told()).toMatch(/✓ Postgres 18 \(embedded\)/)
  expect(server.told().split('╭')).toHaveLength(2)
  expect(server.told()).toContain('/docs')
  expect(server.data()).toBe('')
  const ready = await fetch(`${server.url}/health/ready`)
  expect(await ready.json()).toMatchObject({ status: 'ready', checks: { database: 'ok', log: 'ok', consumers: 'ok' } })
})

test('the log-in link works once', async () => {
  const link = /http:\S+\/login\/\S+/.exec(server.told())?.[0] ?? ''
  const first = await fetch(link, { redirect: 'manual' })
  expect(first.status).toBe(303)
  expect(first.headers.get('set-cookie')).toContain('HttpOnly')
  expect((await fetch(link, { redirect: 'manual' })).status).toBe(410)
})

test('login prints a new link of the server that runs, alone on stdout, and is told when there is none', async () => {
  const [fresh, nowhere] = await Promise.all([lockstep(['login']), lockstep(['login', '--url', 'http://127.0.0.1:1'])])
  expect(fresh).toMatchObject({ code: 0, stdout: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/login\/\S+\n$/) })
  expect((await fetch(fresh.stdout.trim(), { redirect: 'manual' })).status).toBe(303)
  expect((await fetch(fresh.stdout.trim(), { redirect: 'manual' })).status).toBe(410)
  expect(nowhere).toMatchObject({ code: 7, stdout: '' })
})

test('a token stands alone on stdout and is good for its role only', async () => {
  expect(token).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/)
  expect((await call('/events')).status).toBe(200)
  const service = (await lockstep(['token', '--role', 'product-service', '--ttl', '1m'])).stdout.trim()
  const answer = await fetch(`${server.url}/v1/events`, { headers: { authorization: `Bearer ${service}` } })
  expect(answer.status).toBe(403)
  expect((await lockstep(['token', '--role', 'admin'])).code).toBe(2)
})

test('wait ends with 0 once consumers have a version, with 7 when there is none in time', async () => {
  const { status, body } = await call('/products', 'POST', lamp('lamp-01'))
  expect(status).toBe(201)
  const [good, late, strange] = await Promise.all([
    lockstep(['wait', body.syncToken]),
    lockstep(['wait', 'product/lamp-01@99', '--timeout', '200ms']),
    lockstep(['wait', body.syncToken, '--consumers', 'serach']),
  ])
  expect(good).toMatchObject({ code: 0, stdout: '' })
  expect(late.code).toBe(7)
  expect(strange).toMatchObject({ code: 3, stderr: expect.stringContaining('did you mean search?') })
})

test('what goes into a pipe has no colours, even where CI forces them', async () => {
  for (const args of [['--help'], ['status'], ['status', 'lamp-77'], ['nonsense']]) {
    const { stdout, stderr } = await lockstep(args, { CI: '1', FORCE_COLOR: '1' })
    expect(stdout + stderr).not.toContain('\x1b')
  }
})

test('status tells of all consumers, and of one product by its id or SKU', async () => {
  const [all, one, table, none] = await Promise.all([
    lockstep(['status', '-o', 'json']),
    lockstep(['status', 'LAMP-01', '-o', 'json']),
    lockstep(['status', 'lamp-01']),
    lockstep(['status', 'lamp-77']),
  ])
  expect(JSON.parse(all.stdout).map(({ name }: { name: string }) => name)).toContain('search')
  expect(JSON.parse(one.stdout)).toMatchObject({ productId: 'lamp-01', overallStatus: 'completed' })
  expect(table.stdout).toMatch(/^search +done/m)
  expect(none.code).toBe(3)
})

test('--json takes fields and --jq a path out of what any command prints; a field there is none of is named', async () => {
  const [fields, path, one, stream, strange, program] = await Promise.all([
    lockstep(['events', 'ls', '--key', 'lamp-01', '--type', 'product.*', '--json', 'type,data.product.title']),
    lockstep(['events', 'ls', '--key', 'lamp-01', '--type', 'product.*', '--jq', '.[].data.product.title']),
    lockstep(['status', 'lamp-01', '--json', 'overallStatus', '-o', 'yaml']),
    lockstep(['events', 'tail', '--after', '0', '-n', '2', '-o', 'ndjson', '--json', 'position']),
    lockstep(['status', '--json', 'nmae']),
    lockstep(['status', '--jq', 'map(.name)']),
  ])
  expect(JSON.parse(fields.stdout)).toEqual([{ type: 'product.created', 'data.product.title': 'Desk lamp' }])
  expect(path.stdout).toBe('Desk lamp\n')
  expect(one.stdout).toBe('overallStatus: completed\n')
  expect(stream.stdout).toBe('{"position":1}\n{"position":2}\n')
  expect(strange).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('there are name,') })
  expect(program).toMatchObject({ code: 2, stderr: expect.stringContaining('.[].name') })
})

test('status and explain know customers, and say nothing personal', async () => {
  const { status } = await call('/customers', 'POST', { id: 'c-1', name: 'Ada Quill', email: 'ada@example.com' })
  expect(status).toBe(201)
  const [sync, story, byId] = await Promise.all([
    lockstep(['status', 'customer/c-1']),
    lockstep(['explain', 'customer/c-1']),
    lockstep(['explain', 'c-1', '-o', 'json']),
  ])
  expect(sync).toMatchObject({ code: 0, stderr: expect.stringContaining('customer c-1 version 1: ') })
  expect(story.stdout).toContain('customer.created')
  expect(JSON.parse(byId.stdout).subject).toEqual({ kind: 'customer', id: 'customer/c-1' })
  expect(story.stdout + byId.stdout).not.toMatch(/Quill|ada@/)
})

test('a feed is run from a file, held with what it would do, and carried out on a word', async () => {
  expect((await call('/feeds', 'POST', { name: 'supplier', kind: 'catalogue', absent: 'archive' })).status).toBe(201)
  const file = join(directory, 'supplier.csv')
  const header = 'id,title,sku,price\n'
  const rows = [1, 2, 3, 4].map((n) => `fed-${n},Fed ${n},FED-${n},${n}\n`)
  await writeFile(file, header + rows.join(''))
  const first = await lockstep(['feeds', 'run', 'supplier', file, '--json', 'status,counts.applied'])
  expect(first.code).toBe(0)
  expect(JSON.parse(first.stdout)).toEqual({ status: 'done', 'counts.applied': 4 })
  await writeFile(file, header + rows[0])
  const held = await lockstep(['feeds', 'run', 'supplier', file])
  expect(held).toMatchObject({ code: 6, stderr: expect.stringContaining('3 of the 4 rows it had are gone, 75 %') })
  expect(held.stdout).toMatch(/removed +fed-4 +status active → archived/)
  const id = /approve (\d+)/.exec(held.stderr)?.[1] ?? ''
  expect((await lockstep(['feeds', 'approve', id, '--dry-run'])).stderr).toContain('3 changes would be made')
  expect((await call('/products/fed-4')).body.status).toBe('active')
  expect(await lockstep(['feeds', 'approve', id, '--yes'])).toMatchObject({ code: 0 })
  expect((await call('/products/fed-4')).body.status).toBe('archived')
  const [late, shown] = await Promise.all([
    lockstep(['feeds', 'reject', id, '--yes']),
    lockstep(['feeds', 'show', 'supplier', '--jq', '.runs[0].status']),
  ])
  expect(late.code).toBe(5)
  expect(shown.stdout).toBe('done\n')
})

test('completion knows commands, values of options, and the names of services, consumers and feeds', async () => {
  const words = async (...words: string[]) =>
    (await lockstep(['completion', 'words', '--', ...words])).stdout.split('\n')
  const made = await call('/feeds', 'POST', { name: 'completed', kind: 'stock', source: null })
  expect(made.status).toBe(201)
  const [commands, services, consumers, option, output, feeds, approve] = await Promise.all([
    words(),
    words('serve'),
    words('consumers', 'pause'),
    words('dead-letters', 'ls', '--consumer'),
    words('status', '-o'),
    words('feeds', 'run'),
    words('feeds', 'approve'),
  ])
  expect(commands).toEqual(expect.arrayContaining(['status', 'completion', '--output']))
  expect(services).toContain('catalog')
  expect(consumers).toEqual(expect.arrayContaining(['search', 'marketing', '--dry-run']))
  expect(option).toContain('search')
  expect(option).not.toContain('--key')
  expect(output).toEqual(expect.arrayContaining(['json', 'yaml']))
  expect(feeds).toContain('completed')
  expect(approve).not.toContain('completed') // it takes a run's number
  const nowhere = await lockstep(['completion', 'words', '--', 'feeds', 'run'], {
    LOCKSTEP_DATA: join(directory, 'no-such'),
  })
  expect(nowhere).toMatchObject({ code: 0, stderr: '' })
})

test('a broken consumer shows in status, dead letters and explain, and a retry mends it', async () => {
  await call('/consumers/search/faults', 'POST', { keys: ['lamp-01'], mode: 'give-up', error: 'no index today' })
  const { body } = await call('/products/lamp-01', 'PATCH', { title: 'Reading lamp' })
  const waited = await lockstep(['wait', body.syncToken, '--timeout', '60s'])
  expect(waited).toMatchObject({ code: 1, stdout: expect.stringContaining('no index today') })
  const [letters, story] = await Promise.all([
    lockstep(['dead-letters', 'ls', '--consumer', 'search', '-o', 'ndjson']),
    lockstep(['explain', 'lamp-01']),
  ])
  const letter = JSON.parse(letters.stdout)
  expect(letter).toMatchObject({ consumer: 'search', key: 'lamp-01', state: 'dead', error: 'no index today' })
  expect(story.stdout).toContain('Desk lamp → Reading lamp')
  expect(story.stdout).toContain('no index today')

  await call('/consumers/search/faults', 'DELETE')
  const id = String(letter.id)
  expect((await lockstep(['dead-letters', 'discard', id])).code).toBe(0)
  expect((await lockstep(['dead-letters', 'ls', '-o', 'ndjson'])).stdout).toBe('')
  expect((await lockstep(['dead-letters', 'restore', id])).stderr).toContain('1 taken back')
  expect((await lockstep(['dead-letters', 'ls', '-o', 'ndjson'])).stdout).toBe(letters.stdout)
  expect((await lockstep(['dead-letters', 'retry', '--all-matching'])).code).toBe(2)
  expect((await lockstep(['dead-letters', 'retry', id])).code).toBe(0)
  expect((await lockstep(['wait', body.syncToken])).code).toBe(0)
})

test('caches are seen and cleared in the server that has them, wherever it answers', async () => {
  expect((await call('/products', 'POST', lamp('cached'))).status).toBe(201)
  for (let n = 0; n < 2; n++) expect((await call('/products/cached')).status).toBe(200)
  const [table, fields, rehearsed, strange, nameless, nowhere, foreign] = await Promise.all([
    lockstep(['caches', 'ls']),
    lockstep(['caches', 'ls', '--json', 'name,hits,hitRate,server']),
    lockstep(['caches', 'clear', '--all', '--dry-run']),
    lockstep(['caches', 'clear', 'serach']),
    lockstep(['caches', 'clear']),
    lockstep(['caches', 'ls', '--url', 'http://127.0.0.1:1']),
    lockstep(['caches', 'ls'], { LOCKSTEP_TOKEN: 'foreign' }),
  ])
  expect(table.stdout).toMatch(/^products .* memory +127\.0\.0\.1:\d+$/m)
  const products = JSON.parse(fields.stdout).find(({ name }: { name: string }) => name === 'products')
  expect(products).toMatchObject({ server: server.url, hits: expect.any(Number), hitRate: expect.any(Number) })
  expect(rehearsed).toMatchObject({ code: 0, stderr: expect.stringContaining('would be forgotten') })
  expect(strange).toMatchObject({ code: 3, stderr: expect.stringContaining('did you mean search?') })
  expect(nameless.code).toBe(2)
  expect(nowhere).toMatchObject({ code: 7, stderr: expect.stringContaining('no server answers') })
  expect(foreign).toMatchObject({ code: 4, stderr: expect.stringContaining('LOCKSTEP_TOKEN') })
  const [cleared] = JSON.parse((await lockstep(['caches', 'clear', 'products', '-o', 'json'])).stdout)
  expect(cleared).toMatchObject({ name: 'products', entries: 0, server: server.url })
})

test('an import reports by line, and the same file again changes nothing', async () => {
  const file = join(directory, 'products.csv')
  await writeFile(
    file,
    'Handle,Title,Variant SKU,Variant Price,Variant Inventory Qty\nmug,Mug,MUG-1,8.50,12\nbowl,Bowl,BOWL-1,dear,3\n',
  )
  const first = JSON.parse((await lockstep(['import', file, '-o', 'json'])).stdout)
  expect(first).toMatchObject({ rows: 2, counts: { productsCreated: 1, productsRefused: 1 } })
  expect(first.problems[0]).toMatchObject({ line: 3, kind: 'refused' })
  const again = JSON.parse((await lockstep(['import', file, '-o', 'json'])).stdout)
  expect(again.counts).toMatchObject({ productsUnchanged: 1 })
  expect((await lockstep(['wait', 'product/mug@1'])).code).toBe(0)
  const missing = await lockstep(['import', join(directory, 'nowhere.csv')])
  expect(missing).toMatchObject({ code: 3, stderr: expect.stringContaining('nowhere.csv') })
  const [near, map] = await Promise.all([
    lockstep(['import-orders', join(directory, 'produtcs.csv')]),
    lockstep(['import', file, '--map', '@no-such-map.json']),
  ])
  expect(map).toMatchObject({ code: 3, stderr: expect.stringContaining('there is no file no-such-map.json') })
  expect(near).toMatchObject({ code: 3, stderr: expect.stringContaining(`did you mean ${file}?`) })
})

test('verify ends with 0 while all is well, and with 6 when a projection is not as its source', async () => {
  expect(await lockstep(['verify'])).toMatchObject({ code: 0, stdout: '' })
  const postgres = await openEmbeddedPostgres({ directory: join(data, 'postgres') })
  const db = openDatabase(postgres.url)
  await db`update search.products set version = version - 1 where product_id = 'mug'`
  await db.close()
  await postgres.close()
  const found = await lockstep(['verify', '-o', 'ndjson'])
  expect(found.code).toBe(6)
  expect(JSON.parse(found.stdout)).toMatchObject({ what: 'mug', detail: expect.stringContaining('stale') })
  expect((await lockstep(['replay', 'search', '--from', 'start', '--yes'])).code).toBe(0)
})

test('a second start on the same data stands by on the next port, said aloud', async () => {
  const second = await start()
  expect(second.told()).toContain(`port ${port} is taken, using ${port + 1}`)
  expect(new URL(second.url).port).toBe(/using (\d+)\s+✓/.exec(second.told())?.[1])
  await becomesReady(second.url)
  expect(await stop(second)).toBe(0)
  await becomesReady(server.url)
})

/** Ready once the consumers have an owner that beats; on a busy machine that may change hands when a second process starts. */
const becomesReady = (url: string) =>
  expect.poll(async () => (await fetch(`${url}/health/ready`)).status, { timeout: 60_000 }).toBe(200)

test('Ctrl-C leaves no process, and the next start finds the data', async () => {
  const begun = performance.now()
  expect(await stop(server)).toBe(0)
  expect(performance.now() - begun).toBeLessThan(5_000 + BUSY_MS)
  expect(await processesOf(data)).toEqual([])
  server = await start()
  expect((await call('/products/lamp-01')).body).toMatchObject({ title: 'Reading lamp' })
})

test('what is written while nobody serves is told to wait, and done at the next start after a kill -9', async () => {
  await stop(server, 'SIGKILL')
  const file = join(directory, 'more.csv')
  await writeFile(file, 'Handle,Title,Variant SKU,Variant Price\nvase,Vase,VASE-1,30\n')
  // Its beats count for three more seconds.
  const db = await openEmbeddedPostgres({ directory: join(data, 'postgres') })
  const pool = openDatabase(db.url)
  await pool`update lockstep.processes set beat_at = beat_at - interval '1 minute'`
  await pool.close()
  const imported = await lockstep(['import', file])
  expect(imported).toMatchObject({ code: 0, stderr: expect.stringContaining('no server is running') })
  await db.close()
  server = await start()
  expect((await lockstep(['wait', 'product/vase@1', '-c', 'search'])).code).toBe(0)
  expect((await call('/products/lamp-01')).status).toBe(200)
})

test('what is misspelt is guessed, what is set wrong is named', async () => {
  const [command, service, setting, option, folder] = await Promise.all([
    lockstep(['statsu']),
    lockstep(['serve', 'serach']),
    lockstep(['serve'], { PORT: 'http' }),
    lockstep(['status', '--ouput', 'json']),
    lockstep(['serve'], { LOCKSTEP_DATA: program }),
  ])
  expect(folder).toMatchObject({ code: 2, stderr: expect.stringMatching(/LOCKSTEP_DATA can not be kept.*next/s) })
  expect(command).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('Did you mean status?') })
  expect(service).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean search?') })
  expect(setting).toMatchObject({ code: 2, stderr: expect.stringContaining('PORT must be') })
  expect(option).toMatchObject({ code: 2, stderr: expect.stringContaining('--output') })
})

test('a rehearsal refuses what the deed would refuse, and a name that nobody has is no clean bill of health', async () => {
  const [forgotten, beyond, letters, retried] = await Promise.all([
    lockstep(['consumers', 'forget', 'search', '--dry-run']),
    lockstep(['replay', 'search', '--from', '99999999', '--dry-run']),
    lockstep(['dead-letters', 'ls', '--consumer', 'serach']),
    lockstep(['dead-letters', 'retry', '--consumer', 'serach', '--all-matching', '--yes']),
  ])
  expect(forgotten).toMatchObject({ code: 5, stderr: expect.stringContaining('is run by') })
  expect(beyond).toMatchObject({ code: 5, stderr: expect.stringContaining('beyond the end of the log') })
  for (const each of [letters, retried])
    expect(each).toMatchObject({ code: 3, stderr: expect.stringContaining('did you mean search?') })
})

test('help knows commands within commands, and every wrong argument points to it', async () => {
  const [within, misspelt, many, port] = await Promise.all([
    lockstep(['help', 'events', 'tail']),
    lockstep(['help', 'evnts']),
    lockstep(['status', 'a', 'b']),
    lockstep(['serve', '--port', 'http']),
  ])
  expect(within).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: lockstep events tail') })
  expect(misspelt).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean events?') })
  expect(many).toMatchObject({ code: 2, stderr: expect.stringContaining('add --help') })
  expect(port).toMatchObject({ code: 2, stderr: expect.stringContaining('PORT must be') })
})

test('help begins with examples, the version names the schema', async () => {
  const [help, version] = await Promise.all([lockstep(['wait', '--help']), lockstep(['--version'])])
  expect(help.stdout).toMatch(/^Examples:\n {2}lockstep wait/)
  expect(help.stdout).toContain('7 unavailable or timed out')
  expect(version.stdout).toMatch(/^lockstep \d+\.\d+\.\d+ \(schema \d+\)\n$/)
})

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  return typeof address === 'object' && address ? address.port : 0
}

/** Command lines of what still works in a folder. */
async function processesOf(folder: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ps', ['-A', '-o', 'args'])
  return stdout.split('\n').filter((line) => line.includes(folder))
}
