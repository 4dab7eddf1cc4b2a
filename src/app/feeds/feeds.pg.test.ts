import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, symlink, utimes, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import type { App } from '../../engine/http.ts'
import { catalogService } from '../../services/catalog/service.ts'
import { type InventoryService, inventoryService } from '../../services/inventory/service.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { openAuth } from '../http/auth.ts'
import { buildServer, httpDefaults } from '../http/server.ts'
import { feedOf } from './feeds.ts'
import { sealPlainHeaders } from './header.ts'
import type { FeedRunner } from './runner.ts'
import { feedsService } from './service.ts'

let engine: TestEngine
let app: App
let inventory: InventoryService
let runner: FeedRunner
let another: FeedRunner
let token: string
let nobody: string
let directory: string
let url: string
let web: Server
let answer: (request: IncomingMessage, response: ServerResponse) => void
const never = new AbortController().signal

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'lockstep-feeds-test-'))
  ;({ url } = await createTestDatabase())
  const limits = { directory, bytesMax: 5_000_000, secondsMax: 5 }
  const made = await testEngine(url, (to) => {
    const [products, stock] = [catalogService(to), inventoryService(to)]
    return [products, stock, feedsService(to, { catalog: products, inventory: stock }, limits)] as const
  })
  engine = made.engine
  inventory = made.services[1]
  runner = made.services[2].runner()
  another = made.services[2].runner()
  const auth = openAuth({ secret: 'a secret of thirty-two bytes at least' })
  const parts = { settings: httpDefaults, auth, log: pino({ level: 'silent' }), metrics: new Registry(), version: '0' }
  app = await buildServer({ ...parts, services: [...made.services] })
  token = await auth.issueToken({ role: 'ADMIN', subject: 'tester', ttlSeconds: 600 })
  nobody = await auth.issueToken({ role: 'product-service', subject: 'service', ttlSeconds: 600 })
  web = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1')
  await once(web, 'listening')
})
afterAll(async () => {
  web.close()
  runner.leave()
  another.leave()
  await app.close()
  await engine.close()
})
afterEach(async () => expect(await inventory.verify(engine.db)).toEqual([]))

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE'
async function call(method: Method, url: string, body?: object | string, type = 'text/csv', as = token) {
  const reply = await app.inject({
    method,
    url: `/v1${url}`,
    headers: { authorization: `Bearer ${as}`, ...(typeof body === 'string' && { 'content-type': type }) },
    ...(body && { payload: body }),
  })
  return { status: reply.statusCode, body: reply.body === '' ? undefined : reply.json() }
}

let made = 0
async function feed(fields: object): Promise<string> {
  const name = `feed-${++made}`
  const { status, body } = await call('POST', '/feeds', { name, ...fields })
  expect(body).toMatchObject({ name })
  expect(status).toBe(201)
  return name
}

async function step() {
  while (await runner.step(never));
  await engine.settle()
}

/** Uploads, and works until the run rests. */
async function upload(name: string, content: string, query = '') {
  const { status, body } = await call('POST', `/feeds/${name}/run${query}`, content)
  expect(body.status).toBe('queued')
  expect(status).toBe(202)
  await step()
  return detailsOf(body.id)
}

async function run(name: string, query = '') {
  const { body } = await call('POST', `/feeds/${name}/run${query}`)
  await step()
  return detailsOf(body.id)
}

const detailsOf = async (id: number) => (await call('GET', `/feed-runs/${id}`)).body
/** Another process that works on feeds, until it is killed. */
const worker = `
  import { pino } from ${JSON.stringify(import.meta.resolve('pino'))}
  import { Engine } from ${JSON.stringify(new URL('../../engine/engine.ts', import.meta.url).href)}
  import { catalogService } from ${JSON.stringify(new URL('../../services/catalog/service.ts', import.meta.url).href)}
  import { inventoryService } from ${JSON.stringify(new URL('../../services/inventory/service.ts', import.meta.url).href)}
  import { feedsService } from ${JSON.stringify(new URL('./service.ts', import.meta.url).href)}
  const engine = new Engine({ url: process.env.URL_, log: pino({ level: 'silent' }) })
  const feeds = feedsService(engine, { catalog: catalogService(engine), inventory: inventoryService(engine) })
  await feeds.run(new AbortController().signal)
`

const codes = (run: { reasons: { code: string }[] }) => run.reasons.map(({ code }) => code)
const product = async (id: string) => (await call('GET', `/products/${id}`)).body
const position = async () => (await engine.db`select position from lockstep.head`)[0].position as number
const onHand = async (sku: string) =>
  Object.fromEntries(
    (await engine.db`select warehouse_id, on_hand from inventory.levels where sku = ${sku}`).map((row) => [
      row.warehouse_id,
      row.on_hand,
    ]),
  )

const lines = (header: string, ...rows: string[]) => `${[header, ...rows].join('\n')}\n`
const catalogueOf = (prefix: string, count: number, price = 10) =>
  lines(
    'id,title,sku,price,vendor',
    ...Array.from({ length: count }, (_, n) => `${prefix}-${n},Thing ${n},${prefix.toUpperCase()}-${n},${price},`),
  )

describe('a catalogue feed', () => {
  test('makes what is new, changes what differs, and the same again is no event', async () => {
    const name = await feed({ kind: 'catalogue' })
    const first = await upload(name, catalogueOf('a', 5))
    expect(first).toMatchObject({ status: 'done', reasons: [], counts: { rows: 5, created: 5, applied: 5, failed: 0 } })
    const before = await position()
    const same = await upload(name, catalogueOf('a', 5))
    expect(same).toMatchObject({ status: 'done', counts: { unchanged: 5, applied: 0 } })
    expect(await position()).toBe(before)
    const third = await upload(name, catalogueOf('a', 5).replace('Thing 3', 'Thing three'))
    expect(third.counts).toMatchObject({ changed: 1, unchanged: 4, applied: 1 })
    expect(third.samples.changed[0]).toMatchObject({
      key: 'a-3',
      line: 5,
      changes: [{ field: 'title', oldValue: 'Thing 3', newValue: 'Thing three' }],
      done: true,
    })
    expect((await product('a-3')).title).toBe('Thing three')
  })

  test('leaves alone what it has no column for, and what others changed meanwhile', async () => {
    const name = await feed({ kind: 'catalogue' })
    await upload(name, catalogueOf('b', 1))
    await call('PATCH', '/products/b-0', { description: 'By hand', tags: ['kept'] })
    const held = await upload(name, catalogueOf('b', 1, 12), '?dryRun=true')
    expect(held).toMatchObject({ status: 'held', counts: { changed: 1, applied: 0 } })
    expect(codes(held)).toEqual(['dry-run'])
    await call('PATCH', '/products/b-0', { category: 'Lamps' })
    await call('POST', `/feed-runs/${held.id}/approve`)
    await step()
    expect(await product('b-0')).toMatchObject({
      description: 'By hand',
      tags: ['kept'],
      category: 'Lamps',
      variants: [{ price: { amount: 1200, currency: 'EUR' } }],
    })
  })

  test('that lost most of its rows is held, with what it would do; rejected, it does nothing; approved, it archives', async () => {
    const name = await feed({ kind: 'catalogue', absent: 'archive' })
    await upload(name, catalogueOf('c', 10))
    const before = await position()
    const held = await upload(name, catalogueOf('c', 3))
    expect(held).toMatchObject({ status: 'held', counts: { removed: 7, applied: 0 } })
    expect(codes(held)).toEqual(['rows-lost', 'much-removed'])
    expect(held.samples.removed).toHaveLength(7)
    expect(held.samples.removed[0].changes).toEqual([{ field: 'status', oldValue: 'active', newValue: 'archived' }])
    expect(await position()).toBe(before)
    expect((await call('POST', `/feed-runs/${held.id}/reject`)).body.status).toBe('rejected')
    expect((await call('POST', `/feed-runs/${held.id}/approve`)).body).toMatchObject({
      type: '/problems/feed-run-not-held',
      runStatus: 'rejected',
    })
    await step()
    expect(await position()).toBe(before)

    const again = await upload(name, catalogueOf('c', 3))
    expect((await call('POST', `/feed-runs/${again.id}/approve`)).body.status).toBe('applying')
    expect((await call('POST', `/feed-runs/${again.id}/approve`)).status).toBe(200)
    await step()
    expect(await detailsOf(again.id)).toMatchObject({ status: 'done', decidedBy: 'tester', counts: { applied: 7 } })
    expect((await product('c-9')).status).toBe('archived')
    expect((await product('c-1')).status).toBe('active')
    const back = await upload(name, catalogueOf('c', 4))
    expect(back).toMatchObject({ status: 'done', counts: { changed: 1 } })
    expect((await product('c-3')).status).toBe('active')
  })

  test('of a vendor touches no other vendor’s products and archives none of them', async () => {
    await upload(await feed({ kind: 'catalogue' }), lines('id,title,sku,price,vendor', 'd-x,Theirs,DX,1,Theirs'))
    const name = await feed({
      kind: 'catalogue',
      vendor: 'Ours',
      absent: 'archive',
      maxLossShare: 1,
      maxRefusedShare: 1,
    })
    const header = 'id,title,sku,price,vendor'
    const first = await upload(
      name,
      lines(
        header,
        'd-x,Stolen,DX,1,',
        'd-y,Stolen too,DY,1,Theirs',
        'd-z,Thief,DX,1,Ours',
        'd-1,Mine,D1,1,',
        'd-2,Mine,D2,1,Ours',
      ),
    )
    expect(first).toMatchObject({ status: 'held', counts: { created: 2, refused: 3 } })
    expect(codes(first)).toEqual(['repeated-keys'])
    await call('POST', `/feed-runs/${first.id}/approve`)
    await step()
    expect((await product('d-1')).vendorId).toBe('Ours')
    expect((await product('d-x')).title).toBe('Theirs')
    const second = await upload(name, lines(header, 'd-1,Mine,D1,1,'))
    expect(second).toMatchObject({ status: 'done', counts: { removed: 1 } })
    expect((await product('d-2')).status).toBe('archived')
    expect((await product('d-x')).status).toBe('active')
  })

  test('keeps a product whose row it can’t read: it is neither changed nor absent', async () => {
    const name = await feed({ kind: 'catalogue', absent: 'archive', maxRefusedShare: 0.5 })
    await upload(name, catalogueOf('e', 5))
    const content = catalogueOf('e', 5).replace('E-2,10', 'E-2,dear')
    const run = await upload(name, content)
    expect(run).toMatchObject({ status: 'done', counts: { refused: 1, removed: 0 } })
    expect(run.problems[0]).toMatchObject({ line: 4, column: 'price', kind: 'refused' })
    expect((await product('e-2')).status).toBe('active')
    const many = await upload(name, content.replaceAll(',10,', ',dear,'))
    expect(codes(many)).toEqual(['rows-refused'])
  })

  test('is taken in our own shape too', async () => {
    const name = await feed({ kind: 'catalogue' })
    const body = [1, 2].map((n) => ({
      id: `f-${n}`,
      title: 'Own',
      variants: [{ sku: `F-${n}`, price: { amount: 5, currency: 'JPY' } }],
    }))
    const { id } = (await call('POST', `/feeds/${name}/run`, JSON.stringify(body), 'application/octet-stream')).body
    await step()
    expect(await detailsOf(id)).toMatchObject({ status: 'done', counts: { created: 2, applied: 2 } })
  })
})

describe('a price feed', () => {
  test('changes list prices by SKU, several of one product as one version', async () => {
    const variants = ['A', 'B', 'C'].map((sku) => ({ sku: `G-${sku}`, price: { amount: 1_000, currency: 'EUR' } }))
    await call('POST', '/products', { id: 'g', title: 'Three', variants })
    const name = await feed({ kind: 'price' })
    const run = await upload(name, lines('sku,price,compare at price', 'G-A,9.50,12', 'G-B,10,', 'G-C,8,'))
    expect(run).toMatchObject({ status: 'done', counts: { changed: 2, unchanged: 1, applied: 2 } })
    const after = await product('g')
    expect(after.version).toBe(2)
    expect(after.variants.map((one: { price: { amount: number } }) => one.price.amount)).toEqual([950, 1_000, 800])
    expect(after.variants[0].compareAtPrice).toEqual({ amount: 1_200, currency: 'EUR' })
  })

  test('that repeats a SKU is held, and names the line', async () => {
    const name = await feed({ kind: 'price', maxRefusedShare: 1 })
    const run = await upload(name, lines('sku,price', 'G-A,1', 'G-A,2', 'NONE,3'))
    expect(run.status).toBe('held')
    expect(codes(run)).toEqual(['repeated-keys'])
    expect(run.problems).toMatchObject([
      { line: 3, what: 'G-A', reason: 'has a price in line 2 already' },
      { line: 4, what: 'NONE', reason: 'there is no SKU NONE' },
    ])
  })
})

describe('a stock feed', () => {
  test('does not forget orders taken since the time it speaks of, though it waited for a word', async () => {
    await upload(await feed({ kind: 'catalogue' }), catalogueOf('h', 2))
    await inventory.execute({ type: 'set-quantity', sku: 'H-0', warehouseId: 'main', quantity: 10 })
    await inventory.execute({ type: 'order', orderId: 'h-early', lines: [{ sku: 'H-0', quantity: 1 }] })
    const name = await feed({ kind: 'stock', warehouse: 'main' })
    const [{ at }] = await engine.db`select clock_timestamp() as at`
    await inventory.execute({ type: 'order', orderId: 'h-since', lines: [{ sku: 'H-0', quantity: 4 }] })
    const content = lines('sku,quantity,as of', `H-0,30,${at.toISOString()}`, `H-1,7,${at.toISOString()}`)
    const held = await upload(name, content, '?dryRun=true')
    expect(held.samples.changed.map((one: { changes: object }) => one.changes)).toEqual([
      [{ field: 'onHand', oldValue: 9, newValue: 30 }],
      [{ field: 'onHand', oldValue: 0, newValue: 7 }],
    ])
    await inventory.execute({ type: 'order', orderId: 'h-later', lines: [{ sku: 'H-0', quantity: 1 }] })
    await call('POST', `/feed-runs/${held.id}/approve`)
    await step()
    expect(await detailsOf(held.id)).toMatchObject({ status: 'done', counts: { applied: 2, failed: 0 } })
    expect([await onHand('H-0'), await onHand('H-1')]).toEqual([{ main: 30 - 5 }, { main: 7 }])
  })

  test('empties what it no longer speaks of in its warehouse, and refuses what is elsewhere', async () => {
    await upload(await feed({ kind: 'catalogue' }), catalogueOf('i', 4))
    await engine.db`insert into inventory.warehouses (id, name) values ('north', 'North'), ('south', 'South')`
    const name = await feed({
      kind: 'stock',
      warehouse: 'north',
      absent: 'zero',
      maxLossShare: 0.5,
      maxRefusedShare: 1,
    })
    const first = await upload(name, lines('sku,quantity', 'I-0,5', 'I-1,5', 'I-2,5'))
    expect(first).toMatchObject({ status: 'done', counts: { created: 3, applied: 3 } })
    await inventory.execute({ type: 'set-quantity', sku: 'I-0', warehouseId: 'south', quantity: 9 })
    const second = await upload(
      name,
      lines('sku,quantity,warehouse', 'I-0,5,north', 'I-1,5,', 'I-0,1,south', 'I-9,1,north'),
    )
    expect(second).toMatchObject({ status: 'done', counts: { unchanged: 2, removed: 1, refused: 2 } })
    expect(await onHand('I-2')).toEqual({ main: 0, north: 0 })
    expect(await onHand('I-0')).toEqual({ main: 0, north: 5, south: 9 })
  })

  test('does the rest when one SKU can’t be, and says which', async () => {
    await upload(await feed({ kind: 'catalogue' }), catalogueOf('j', 3))
    await inventory.execute({ type: 'set-quantity', sku: 'J-1', warehouseId: 'main', quantity: 5 })
    await inventory.execute({
      type: 'reserve',
      reservationId: 'j',
      lines: [{ sku: 'J-1', quantity: 4 }],
      ttlSeconds: 600,
    })
    const run = await upload(await feed({ kind: 'stock' }), lines('sku,quantity', 'J-0,3', 'J-1,1', 'J-2,3'))
    expect(run).toMatchObject({ status: 'done', counts: { changed: 3, applied: 2, failed: 1 } })
    expect(run.failures).toMatchObject([{ key: 'main/J-1', error: expect.stringContaining('4 reserved') }])
    expect(await onHand('J-2')).toEqual({ main: 3 })
  })
})

describe('a source', () => {
  const address = () => `http://127.0.0.1:${(web.address() as AddressInfo).port}`

  test('is asked with its header, and one that says it has not changed is not read', async () => {
    const asked: IncomingMessage['headers'][] = []
    answer = (request, response) => {
      asked.push(request.headers)
      if (request.headers['if-none-match'] === '"one"') return response.writeHead(304).end()
      response.writeHead(200, { etag: '"one"' }).end(catalogueOf('k', 3))
    }
    const header = { name: 'x-key', value: 'secret' }
    const name = await feed({ kind: 'catalogue', source: { url: `${address()}/k.csv`, header } })
    expect((await run(name)).status).toBe('done')
    const before = await position()
    expect(await run(name)).toMatchObject({ status: 'unchanged', counts: { rows: 0 } })
    expect((await run(name, '?force=true')).counts).toMatchObject({ rows: 3, unchanged: 3 })
    expect(await position()).toBe(before)
    expect(asked.map((headers) => [headers['x-key'], headers['if-none-match']])).toEqual([
      ['secret', undefined],
      ['secret', '"one"'],
      ['secret', undefined],
    ])
    const shown = await call('GET', `/feeds/${name}`)
    expect(shown.body.source.header).toEqual({ name: 'x-key' })
    expect(JSON.stringify(shown.body)).not.toContain('secret')
  })

  test('has its header’s value sealed wherever it is kept, through changes too, and one of before is sealed', async () => {
    const asked: unknown[] = []
    answer = (request, response) => {
      asked.push(request.headers['x-key'])
      response.writeHead(200).end(catalogueOf('sealed', 1))
    }
    const source = { url: `${address()}/sealed.csv`, header: { name: 'x-key', value: 'hush-hush' } }
    const name = await feed({ kind: 'catalogue', source })
    const kept = async () =>
      JSON.stringify([
        await engine.db`select name, definition::text from feeds.feeds`,
        await engine.db`select * from feeds.header_keys`,
        await engine.db`select answer::text, fingerprint from lockstep.commands`,
      ])
    expect(await kept()).not.toContain('hush')
    expect((await call('PATCH', `/feeds/${name}`, { maxLossShare: 0.5 })).status).toBe(200)
    expect(await kept()).not.toContain('hush')
    await run(name)
    const plain = JSON.stringify({ ...(await feedOf(engine.db, name)), source })
    await engine.db`update feeds.feeds set definition = ${plain}::json where name = ${name}`
    await engine.db`delete from feeds.header_keys where feed = ${name}`
    await sealPlainHeaders(engine.db)
    expect(await kept()).not.toContain('hush')
    await run(name, '?force=true')
    expect(asked).toEqual(['hush-hush', 'hush-hush'])
    await call('PATCH', `/feeds/${name}`, { source: { url: source.url } })
    expect(await engine.db`select key from feeds.header_keys where feed = ${name}`).toEqual([])
    expect(JSON.stringify((await call('GET', '/feeds')).body)).not.toContain('hush')
  })

  test('that has not changed is read again while something of it could not be taken', async () => {
    const path = join(directory, 'x.csv')
    await writeFile(path, lines('sku,price', 'X-0,5', 'X-1,6'))
    const name = await feed({ kind: 'price', source: { file: 'x.csv' }, maxRefusedShare: 1 })
    await upload(await feed({ kind: 'catalogue' }), catalogueOf('x', 1))
    expect((await run(name)).counts).toMatchObject({ applied: 1, refused: 1 })
    await upload(await feed({ kind: 'catalogue' }), catalogueOf('x', 2, 5))
    expect((await run(name)).counts).toMatchObject({ rows: 2, changed: 1, unchanged: 1, refused: 0 })
    expect((await run(name)).status).toBe('unchanged')
  })

  test('that comes packed is unpacked, and is no larger than allowed then', async () => {
    const name = await feed({ kind: 'catalogue', source: { url: `${address()}/packed.csv` } })
    const packed = (encoding: string, content: Buffer) => {
      answer = (_, response) => void response.writeHead(200, { 'content-encoding': encoding }).end(content)
    }
    packed('gzip', gzipSync(catalogueOf('packed', 2)))
    expect((await run(name)).counts).toMatchObject({ rows: 2 })
    packed('br', brotliCompressSync(catalogueOf('packed', 3)))
    expect((await run(name)).counts).toMatchObject({ rows: 3 })
    packed('gzip', gzipSync(Buffer.alloc(6_000_000, 'x')))
    expect(await run(name)).toMatchObject({ status: 'failed', error: 'it has more than 5000000 bytes' })
    packed('gzip', Buffer.from('not packed at all'))
    expect(await run(name)).toMatchObject({ status: 'failed', error: expect.stringContaining('incorrect header') })
  })

  test('that is gone, endless or leads on and on fails the run with the reason, and nothing else', async () => {
    const name = await feed({ kind: 'catalogue', source: { url: `${address()}/l.csv` } })
    const before = await position()
    answer = (_, response) => void response.writeHead(500).end('no')
    expect(await run(name)).toMatchObject({ status: 'failed', error: expect.stringContaining('answered 500') })
    answer = (_, response) => void response.writeHead(302, { location: '/again' }).end()
    expect(await run(name)).toMatchObject({ status: 'failed', error: expect.stringContaining('leads on and on') })
    answer = (_, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end()
    expect(await run(name)).toMatchObject({ status: 'failed', error: expect.stringContaining('no http(s) address') })
    for (const location of ['http://169.254.169.254/latest/meta-data/', 'http://[fd00:ec2::254]/']) {
      answer = (_, response) => void response.writeHead(302, { location }).end()
      expect(await run(name)).toMatchObject({ status: 'failed', error: expect.stringContaining('nor') })
    }
    answer = (_, response) => void response.writeHead(200).end(Buffer.alloc(6_000_000, 'x'))
    expect(await run(name)).toMatchObject({ status: 'failed', error: 'it has more than 5000000 bytes' })
    answer = (_, response) => void response.socket?.destroy()
    expect((await run(name)).status).toBe('failed')
    expect(await position()).toBe(before)
  })

  test('that can’t be had is asked again after half a minute, then twice as long each time up to an hour, and then as scheduled', async () => {
    const source = { url: `${address()}/y.csv` }
    const name = await feed({ kind: 'catalogue', source, schedule: { everySeconds: 86_400 } })
    /** Its time has come: how it goes, and in how many seconds it is due again, give or take five. */
    const tick = async () => {
      await engine.db`update feeds.feeds set next_at = statement_timestamp() where name = ${name}`
      await step()
      const [row] = await engine.db`
        select r.status, 10 * round(extract(epoch from f.next_at - r.finished_at) / 10)::int as seconds
        from   feeds.feeds f join feeds.runs r on r.feed = f.name where f.name = ${name} order by r.id desc limit 1`
      return row
    }
    answer = (_, response) => void response.writeHead(503).end('no')
    const waits: number[] = []
    for (let n = 0; n < 9; n++) {
      const { status, seconds } = await tick()
      expect(status).toBe('failed')
      waits.push(seconds)
    }
    expect(waits).toEqual([30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600])
    answer = (_, response) => void response.end(catalogueOf('y', 1))
    const read = await tick()
    expect(read.status).toBe('done')
    expect(read.seconds).toBeGreaterThan(86_000)
    answer = (_, response) => void response.writeHead(503).end('no')
    expect(await tick()).toEqual({ status: 'failed', seconds: 30 })
  })

  test('may be a file below the folder, and no link leads out of it', async () => {
    await mkdir(join(directory, 'erp'), { recursive: true })
    const path = join(directory, 'erp', 'm.csv')
    await writeFile(path, catalogueOf('m', 2))
    await symlink('/etc/hostname', join(directory, 'out.csv'))
    const name = await feed({ kind: 'catalogue', source: { file: 'erp/m.csv' } })
    expect(await run(name)).toMatchObject({ status: 'done', counts: { created: 2 } })
    await utimes(path, new Date(), new Date())
    expect((await run(name)).status).toBe('unchanged')
    const out = await feed({ kind: 'catalogue', source: { file: 'out.csv' } })
    expect(await run(out)).toMatchObject({ status: 'failed', error: 'out.csv leads out of LOCKSTEP_FEEDS' })
    const climbing = await call('POST', '/feeds', { name: 'climbing', kind: 'price', source: { file: '../secret' } })
    expect(climbing.status).toBe(422)
  })
})

describe('content that is malformed', () => {
  test('is held with what came before the fault, removes nothing, and never ends the process', async () => {
    const name = await feed({ kind: 'catalogue', absent: 'archive' })
    await upload(name, catalogueOf('n', 4))
    const broken = await upload(name, `${catalogueOf('n', 2, 11)}n-2,"Thing 2,N-2,10,\nn-3,Thing 3,N-3,10,\n`)
    expect(broken).toMatchObject({ status: 'held', counts: { removed: 0, applied: 0 } })
    expect(codes(broken)).toContain('unreadable')
    for (const content of ['nonsense', '{"a": [1', '[]', 'PK\x03\x04zip', 'title,price\n', 'a,b\n\0\n']) {
      const run = await upload(name, content)
      expect([content, run.status, run.counts.applied]).toEqual([content, 'held', 0])
      expect(run.reasons.length).toBeGreaterThan(0)
    }
    expect((await product('n-0')).variants[0].price.amount).toBe(1_000)
    const good = await upload(name, catalogueOf('n', 4))
    expect(good.status).toBe('done')
    expect((await detailsOf(broken.id)).status).toBe('superseded')
  })

  test('definitions that make no sense name their field', async () => {
    const wrong: [object, string][] = [
      [{ kind: 'stock', absent: 'archive' }, 'absent'],
      [{ kind: 'price', warehouse: 'main' }, 'warehouse'],
      [{ kind: 'price', schedule: { everySeconds: 60 } }, 'schedule'],
      [{ kind: 'price', source: { file: 'a' }, schedule: { cron: 'at tea time' } }, 'schedule.cron'],
      [
        { kind: 'price', source: { file: 'a' }, schedule: { cron: '0 0 1 1 *', timezone: 'Moon/Base' } },
        'schedule.cron',
      ],
      [{ kind: 'price', source: { url: 'ftp://host/x' } }, 'source.url'],
      [{ kind: 'price', source: { url: 'https://me:secret@host/x' } }, 'source.url'],
      [{ kind: 'price', maxLossShare: 2 }, 'maxLossShare'],
      [{ kind: 'orders' }, 'kind'],
      [{ kind: 'price', currency: 'DEM' }, 'currency'],
    ]
    for (const [fields, field] of wrong) {
      const { status, body } = await call('POST', '/feeds', { name: 'wrong', ...fields })
      expect([field, status, body.errors?.[0].field]).toEqual([field, 422, field])
    }
    expect((await call('GET', '/feeds/wrong')).status).toBe(404)
  })

  test('a feed without a source wants a body, and none that is JSON', async () => {
    const name = await feed({ kind: 'price' })
    const none = await call('POST', `/feeds/${name}/run`)
    expect([none.status, none.body.errors[0].message]).toEqual([422, 'is missing: the feed has no source of its own'])
    expect((await call('POST', `/feeds/${name}/run`, { sku: 'A', price: 1 })).status).toBe(415)
    expect((await call('GET', `/feeds/${name}/runs`)).body.items).toEqual([])
  })

  test('nobody but an ADMIN may see or run any', async () => {
    for (const [method, path] of [
      ['GET', '/feeds'],
      ['POST', '/feeds/feed-1/run'],
      ['GET', '/feed-runs/1'],
      ['POST', '/feed-runs/1/approve'],
    ] as const)
      expect((await call(method, path, undefined, undefined, nobody)).status).toBe(403)
  })
})

describe('runs', () => {
  test('one that dies while it reads begins anew, one that dies while it applies goes on, and nothing is done twice', async () => {
    const name = await feed({ kind: 'catalogue' })
    const content = catalogueOf('o', 1_200)
    const { id } = (await call('POST', `/feeds/${name}/run`, content)).body
    // As after a kill -9 in the middle of the reading: a page is staged.
    await engine.db`update feeds.runs set status = 'reading', attempt = 1, rows = 7 where id = ${id}`
    await engine.db`insert into feeds.keys (run_id, key) values (${id}, 'o-0'), (${id}, 'left over')`
    await engine.db`insert into feeds.changes (run_id, n, key, outcome, says, changes) values (${id}, 1, 'left over', 'created', '{}', '[]')`
    await step()
    expect(await detailsOf(id)).toMatchObject({
      status: 'done',
      counts: { rows: 1_200, created: 1_200, applied: 1_200 },
    })
    // As after one in the middle of applying: done, but not marked.
    const before = await position()
    await engine.db`update feeds.runs set status = 'applying', applied = 700 where id = ${id}`
    await engine.db`update feeds.changes set done = false where run_id = ${id} and n > 700`
    await step()
    expect(await detailsOf(id)).toMatchObject({ status: 'done', counts: { applied: 1_200 } })
    expect(await position()).toBe(before)
  })

  test('a process killed in the middle of it loses nothing and does nothing twice', async () => {
    const name = await feed({ kind: 'catalogue' })
    const { id } = (await call('POST', `/feeds/${name}/run`, catalogueOf('v', 3_000))).body
    runner.leave()
    for (const [status, counter] of [
      ['reading', 'rows'],
      ['applying', 'applied'],
    ] as const) {
      const child = spawn(process.execPath, ['--input-type=module', '--eval', worker], {
        env: { ...process.env, URL_: url },
      })
      const exit = once(child, 'exit')
      const reached = async () => {
        const [row] =
          await engine.db`select status, ${counter} = 'rows' and rows > 0 or applied > 0 as some from feeds.runs where id = ${id}`
        return row.status === 'done' || (row.status === status && row.some)
      }
      await expect.poll(reached, { timeout: 60_000, interval: 5 }).toBe(true)
      child.kill('SIGKILL')
      await exit
    }
    const finished = async () => {
      await step()
      return (await detailsOf(id)).status
    }
    await expect.poll(finished, { timeout: 60_000 }).toBe('done')
    expect(await detailsOf(id)).toMatchObject({
      status: 'done',
      counts: { rows: 3_000, created: 3_000, applied: 3_000, failed: 0 },
    })
    const [told] = await engine.db`
      select count(*) as events, count(distinct key) as keys from lockstep.events where meta ->> 'correlationId' = ${`feed-run-${id}`} and type like 'product.%'`
    expect(told).toEqual({ events: 3_000, keys: 3_000 })
  }, 240_000)

  test('what old runs did is kept in part, their counts for good', async () => {
    const name = await feed({ kind: 'catalogue' })
    const ids: number[] = []
    for (const price of [1, 2, 3, 4]) ids.push((await upload(name, catalogueOf('w', 120, price))).id)
    const kept =
      await engine.db`select run_id, count(*) as n from feeds.changes where run_id = any(${ids}::bigint[]) group by 1 order by 1`
    expect(kept.map(({ n }) => n)).toEqual([100, 120, 120, 120])
    expect((await detailsOf(ids[0] as number)).counts).toMatchObject({ created: 120, applied: 120 })
  })

  test('stock that was counted and not marked is not counted twice', async () => {
    await upload(await feed({ kind: 'catalogue' }), catalogueOf('p', 3))
    const run = await upload(await feed({ kind: 'stock' }), lines('sku,quantity', 'P-0,3', 'P-1,4', 'P-2,5'))
    await inventory.execute({ type: 'order', orderId: 'p-since', lines: [{ sku: 'P-0', quantity: 1 }] })
    const before = await position()
    await engine.db`update feeds.runs set status = 'applying', applied = 0 where id = ${run.id}`
    await engine.db`update feeds.changes set done = false where run_id = ${run.id}`
    await step()
    expect(await detailsOf(run.id)).toMatchObject({ status: 'done', counts: { applied: 3, failed: 0 } })
    expect(await position()).toBe(before)
    expect(await onHand('P-0')).toEqual({ main: 2 })
  })

  test('a schedule’s tick is one run however many look, and missed ticks are not made up for', async () => {
    await writeFile(join(directory, 'q.csv'), catalogueOf('q', 1))
    const source = { file: 'q.csv' }
    const cron = `${(new Date().getUTCMinutes() + 30) % 60} * * * *` // each hour, and not while this test runs
    const name = await feed({ kind: 'catalogue', source, schedule: { cron, timezone: 'Europe/Berlin' } })
    const { nextAt } = (await call('GET', `/feeds/${name}`)).body
    expect(Date.parse(nextAt)).toBeGreaterThan(Date.now())
    await engine.db`update feeds.feeds set next_at = now() - interval '3 hours' where name = ${name}`
    await Promise.all([runner.runDue(), another.runDue(), runner.runDue(), another.runDue()])
    const { items } = (await call('GET', `/feeds/${name}/runs`)).body
    expect(items).toMatchObject([{ status: 'queued', origin: 'schedule' }])
    await step()
    expect((await call('GET', `/feeds/${name}`)).body).toMatchObject({ nextAt, lastRun: { status: 'done' } })
    await call('PATCH', `/feeds/${name}`, { enabled: false })
    expect((await call('GET', `/feeds/${name}`)).body.nextAt).toBeNull()
  })

  test('only one process works, and it passes the turn on', async () => {
    const name = await feed({ kind: 'catalogue' })
    await runner.step(never)
    const { body } = await call('POST', `/feeds/${name}/run`, catalogueOf('r', 1))
    expect(await another.step(never)).toBe(false)
    expect((await detailsOf(body.id)).status).toBe('queued')
    expect((await call('POST', `/feeds/${name}/run`, catalogueOf('r', 2))).body.type).toContain('feed-busy')
    runner.leave()
    await expect.poll(() => another.step(never)).toBe(true)
    while (await another.step(never));
    expect((await detailsOf(body.id)).status).toBe('done')
    another.leave()
    await expect.poll(() => runner.step(never)).toBe(false)
  })

  test('what it did is told field by field in pages, and found by its correlation id', async () => {
    const name = await feed({ kind: 'catalogue' })
    const run = await upload(name, catalogueOf('s', 3))
    const first = (await call('GET', `/feed-runs/${run.id}/changes?limit=2`)).body
    const rest = (await call('GET', `/feed-runs/${run.id}/changes?limit=2&cursor=${first.next}`)).body
    expect([...first.items, ...rest.items].map(({ key }) => key)).toEqual(['s-0', 's-1', 's-2'])
    const events = await engine.db`
      select key from lockstep.events where meta ->> 'correlationId' = ${`feed-run-${run.id}`} and type = 'product.created' order by key`
    expect(events).toHaveLength(3)
  })

  test('a feed can be removed, and its runs with it', async () => {
    const name = await feed({ kind: 'catalogue' })
    const run = await upload(name, catalogueOf('t', 1))
    expect((await call('DELETE', `/feeds/${name}`)).status).toBe(204)
    expect((await call('GET', `/feed-runs/${run.id}`)).status).toBe(404)
    expect((await product('t-0')).title).toBe('Thing 0')
    expect((await call('DELETE', `/feeds/${name}`)).status).toBe(404)
  })
})
