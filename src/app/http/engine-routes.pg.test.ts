import { afterEach, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { notesService } from '../../../test/notes.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { engineRoutes } from './engine-routes.ts'
import { type TestServer, testServer } from './server-testing.ts'

let engine: TestEngine
let notes: ReturnType<typeof notesService>
let server: TestServer
let headers: Record<string, string>

beforeEach(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(url, (each) => [notesService(each)])
  engine = made.engine
  notes = made.services[0] as typeof notes
  server = await testServer({ routes: (app, auth) => engineRoutes(engine, auth, { faults: true })(app), shop: false })
  headers = { authorization: `Bearer ${await server.token()}` }
})
afterEach(async () => {
  await server.app.close()
  await engine.close()
})

const get = async (url: string, sent = headers) => {
  const response = await server.app.inject({ url, headers: sent })
  return { status: response.statusCode, body: response.json() }
}
const post = async (url: string, payload?: object) => {
  const response = await server.app.inject({ method: 'POST', url, headers, ...(payload && { payload }) })
  return { status: response.statusCode, body: response.json() }
}

test('the sync status is what document A says and no more, and `detail` says why, to ADMIN alone', async () => {
  await notes.execute({ id: '1', text: 'one' })
  const before = { overallStatus: 'processing', services: { copies: 'pending', diary: 'pending' } }
  expect((await get('/v1/products/1/sync-status', {})).body).toEqual(before)
  await engine.settle()
  expect((await get('/products/1/sync-status', {})).body).toEqual({
    overallStatus: 'completed',
    services: { copies: 'done', diary: 'done' },
  })
  expect((await get('/products/1/sync-status?detail=true', {})).status).toBe(401)
  const { body } = await get('/products/1/sync-status?detail=true&entity=note/1&version=1')
  expect(body).toMatchObject({
    productId: '1',
    version: 1,
    detail: { copies: { status: 'done', position: 1, lagMs: 0 } },
  })
})

test('a product or a version that never was is 404, not done', async () => {
  await notes.execute({ id: '1', text: 'one' })
  expect((await get('/products/2/sync-status', {})).body).toMatchObject({ status: 404, what: 'product', id: '2' })
  expect((await get('/products/1/sync-status?entity=note/1&version=2', {})).body).toMatchObject({
    status: 404,
    what: 'version',
  })
  for (const query of ['version=0', 'version=x', 'wait=1h', 'wait=9s', 'entity=note/1', 'unknown=1']) {
    expect((await get(`/products/1/sync-status?${query}`, {})).status, query).toBe(400)
  }
})

test('a wait ends when the version has arrived everywhere, or when the time is over', async () => {
  await notes.execute({ id: '1', text: 'one' })
  const over = await get('/products/1/sync-status?wait=50ms', {})
  expect(over.body.overallStatus).toBe('processing')
  const waiting = get('/products/1/sync-status?entity=note/1&version=1&wait=8s', {})
  const started = performance.now()
  await engine.settle()
  expect((await waiting).body.overallStatus).toBe('completed')
  expect(performance.now() - started).toBeLessThan(7_500) // not at the end of its time
})

test('a broken consumer is seen failing, its dead letter inspected, discarded, restored, retried, and it recovers', async () => {
  expect((await post('/consumers/copies/faults', { keys: ['1'], error: 'SKU not found' })).status).toBe(201)
  await notes.execute({ id: '1', text: 'one' })
  await notes.execute({ id: '2', text: 'two' })
  await engine.settle()
  expect((await get('/products/1/sync-status')).body).toEqual({
    overallStatus: 'partial-failure',
    services: { copies: 'failed', diary: 'done' },
  })
  expect((await get('/products/2/sync-status')).body.overallStatus).toBe('completed')
  expect((await get('/products/1/sync-status?detail=1')).body.detail.copies).toMatchObject({
    status: 'failed',
    error: 'SKU not found',
    attempts: 3,
  })

  const [letter] = (await get('/dead-letters?consumer=copies&key=1')).body.items
  expect(letter).toMatchObject({ key: '1', state: 'dead', attempts: 3, error: 'SKU not found' })
  expect(letter.history).toHaveLength(3)
  expect((await get(`/dead-letters/${letter.id}`)).body).toEqual(letter)
  expect((await post(`/dead-letters/${letter.id}/discard`)).body.state).toBe('discarded')
  expect((await get('/dead-letters')).body.items).toEqual([])
  expect((await get('/dead-letters?state=discarded')).body.items).toHaveLength(1)
  expect((await post(`/dead-letters/${letter.id}/restore`)).body).toEqual(letter)
  expect((await post('/dead-letters/999/restore')).status).toBe(404)

  await server.app.inject({ method: 'DELETE', url: '/consumers/copies/faults', headers })
  expect((await post(`/dead-letters/${letter.id}/retry`)).body).toMatchObject({ state: 'retrying', attempts: 0 })
  await engine.settle()
  expect((await get('/products/1/sync-status')).body.overallStatus).toBe('completed')
  expect((await get(`/dead-letters/${letter.id}`)).status).toBe(404)
  expect((await post('/dead-letters/999/retry')).status).toBe(404)
})

test('a retry by hand takes all failures of a product, or those at one consumer', async () => {
  for (const name of ['copies', 'diary']) await post(`/consumers/${name}/faults`, { keys: ['1'], mode: 'give-up' })
  await notes.execute({ id: '1', text: 'one' })
  await engine.settle()
  expect(await post('/products/1/sync-retry', { consumer: 'copies' })).toEqual({ status: 202, body: { retried: 1 } })
  engine.faults.clear('copies')
  engine.faults.clear('diary')
  expect(await post('/products/1/sync-retry')).toEqual({ status: 202, body: { retried: 2 } })
  await engine.settle()
  expect((await get('/products/1/sync-status')).body.overallStatus).toBe('completed')
  expect((await post('/products/2/sync-retry')).status).toBe(404)
})

test('dead letters come in pages, the newest first, each once', async () => {
  await post('/consumers/copies/faults', { keys: ['*'], mode: 'give-up' })
  for (const id of ['1', '2', '3', '4', '5']) await notes.execute({ id, text: 'x' })
  await engine.settle()
  const seen: string[] = []
  let cursor = ''
  do {
    const { body } = await get(`/dead-letters?limit=2${cursor && `&cursor=${cursor}`}`)
    seen.push(...body.items.map((item: { key: string }) => item.key))
    cursor = body.next ?? ''
  } while (cursor)
  expect(seen.sort()).toEqual(['1', '2', '3', '4', '5'])
  expect((await get('/dead-letters?cursor=junk')).body.errors[0].field).toBe('cursor')
})

test('events are read in pages from either end and filtered by key, entity, type and correlation', async () => {
  for (const n of [1, 2, 3, 4, 5, 6]) {
    await notes.execute({ id: String(n % 2), text: `text ${n}` }, { correlationId: `c-${n % 3}`, actor: 'me' })
  }
  const positions = async (query: string) => {
    const { body } = await get(`/events?${query}`)
    return { at: body.items.map((item: { position: number }) => item.position), next: body.next }
  }
  expect(await positions('limit=4')).toEqual({ at: [1, 2, 3, 4], next: 4 })
  expect(await positions('limit=4&after=4')).toEqual({ at: [5, 6], next: undefined })
  expect(await positions('limit=4&order=newest')).toEqual({ at: [6, 5, 4, 3], next: 3 })
  expect(await positions('limit=4&order=newest&before=3')).toEqual({ at: [2, 1], next: undefined })
  expect((await positions('key=1')).at).toEqual([1, 3, 5])
  expect((await positions('entity=note/0&limit=2')).at).toEqual([2, 4])
  expect((await positions('type=note.*&correlationId=c-0')).at).toEqual([3, 6])
  expect((await positions('type=product.updated')).at).toEqual([])
  const [first] = (await get('/events?limit=1')).body.items
  expect(first).toMatchObject({
    type: 'note.written',
    entity: 'note/1',
    version: 1,
    source: 'notes',
    data: { text: 'text 1' },
    meta: { actor: 'me' },
  })
  for (const query of [`type='; drop table x`, 'after=-1', 'limit=501', 'order=up', `key=%00`]) {
    expect((await get(`/events?${query}`)).status, query).toBe(400)
  }
})

test('a consumer can be paused, resumed and replayed from a position while it runs', async () => {
  const stop = new AbortController()
  const running = engine.run(stop.signal)
  const copies = async () => (await get('/consumers/copies')).body
  const copied = async () => (await engine.db`select id, version from copies order by id`).map((row) => row.id)
  const write = async (...ids: string[]) => {
    for (const id of ids) await notes.execute({ id, text: 'x' })
  }
  await write('1', '2', '3')
  await expect.poll(copies).toMatchObject({ position: 3, lagEvents: 0, paused: false })
  expect((await post('/consumers/copies/pause')).body).toMatchObject({ paused: true, owner: null })
  await write('4')
  await expect.poll(async () => (await get('/consumers/diary')).body.lagEvents).toBe(0)
  expect(await copies()).toMatchObject({ position: 3, end: 4, lagEvents: 1, owner: null })
  expect((await post('/consumers/copies/resume')).body.paused).toBe(false)
  await expect.poll(copies).toMatchObject({ lagEvents: 0 })

  await engine.db`delete from copies`
  expect(await post('/consumers/copies/replay', { from: 3 })).toMatchObject({
    status: 202,
    body: { position: 2, lagEvents: 2 },
  })
  await expect.poll(copied).toEqual(['note/3', 'note/4'])
  expect((await post('/consumers/copies/replay', { from: 0 })).status).toBe(202)
  await expect.poll(copied).toEqual(['note/1', 'note/2', 'note/3', 'note/4'])
  stop.abort()
  await running
})

test('a replay from nowhere and a consumer that is none are refused', async () => {
  expect((await post('/consumers/copies/replay', { from: 99 })).body).toMatchObject({
    status: 422,
    type: '/problems/beyond-the-log',
  })
  for (const from of [-1, 1.5, '1', undefined])
    expect((await post('/consumers/copies/replay', { from })).status).toBe(422)
  expect((await get('/consumers/nobody')).status).toBe(404)
  const bodies: [string, object | undefined][] = [
    ['pause', undefined],
    ['replay', { from: 1 }],
    ['faults', { keys: ['1'] }],
  ]
  for (const [verb, body] of bodies) expect((await post(`/consumers/nobody/${verb}`, body)).status, verb).toBe(404)
})

test('none of it but the plain sync status is anybody’s to see', async () => {
  const guarded = server.app.routeTable.filter(({ url }) =>
    /^\/(consumers|dead-letters|events|products\/:id\/sync-retry)/.test(url),
  )
  expect(guarded.length).toBeGreaterThan(10)
  for (const { method, url, roles } of guarded) expect(roles, `${method} ${url}`).toEqual(['ADMIN'])
})
