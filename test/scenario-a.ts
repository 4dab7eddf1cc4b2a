/** What document A's stories are told with: the whole shop over HTTP, and waiting until everybody has a change. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { createTestDatabase } from './database.ts'
import { openTestShop, type TestShop } from './shop.ts'

export interface Answer {
  code: number
  // biome-ignore lint/suspicious/noExplicitAny: each answer has the shape its route says
  body: any
}

export interface Story extends AsyncDisposable {
  shop: TestShop
  get(path: string): Promise<Answer>
  send(method: 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: object): Promise<Answer>
  /** Makes a product with one variant `<id>-1` unless told otherwise; resolves when every consumer has it. */
  product(id: string, fields?: object): Promise<void>
  /** Changes it; resolves when every consumer has the change. */
  change(id: string, fields: object): Promise<void>
  /** Says what is on hand of `<id>-1`; resolves when every consumer has it. */
  stock(id: string, quantity: number): Promise<void>
  /** The sync status as soon as nothing of it is pending any more. */
  synced(id: string): Promise<Answer['body']>
  /** Repeats what is asked until it is as expected, until the test's time is over. */
  until<Value>(ask: () => Promise<Value>, expected: unknown): Promise<void>
}

export const euros = (amount: number) => ({ amount, currency: 'EUR' })
export const variant = (sku: string, amount = 2000, more: object = {}) => ({ sku, price: euros(amount), ...more })

/** Retries come at once, so that no story waits for them. */
export async function openStory(settings: Record<string, string> = {}): Promise<Story> {
  const { url } = await createTestDatabase()
  const LOCKSTEP_DATA = await mkdtemp(join(tmpdir(), 'lockstep-story-'))
  const soon = { LOCKSTEP_RETRY_FIRST_MS: '1', LOCKSTEP_RETRY_MAX_MS: '5' }
  const shop = await openTestShop(url, { LOCKSTEP_DATA, ...soon, ...settings })
  const headers = await shop.as('ADMIN')
  type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  const call = async (method: Method, path: string, payload?: object, more: Record<string, string> = {}) => {
    const options = { method, url: `/v1${path}`, headers: { ...headers, ...more }, ...(payload && { payload }) }
    const response = await shop.app.inject(options)
    const json = String(response.headers['content-type']).includes('json')
    return { code: response.statusCode, body: json ? response.json() : response.body }
  }
  const get = (path: string) => call('GET', path)
  /** What was turned away for lack of room is said again with the same key, as its answer asks for. */
  const said = async (method: 'POST' | 'PATCH', path: string, payload: object, code: number) => {
    const key = { 'idempotency-key': randomUUID() }
    let answer = await call(method, path, payload, key)
    while (answer.code === 503) answer = await call(method, path, payload, key)
    expect(answer, JSON.stringify(answer.body)).toMatchObject({ code })
  }
  const until: Story['until'] = async (ask, expected) =>
    expect.poll(ask, { timeout: 50_000, interval: 20 }).toMatchObject(expected as object)
  const synced = async (id: string) => {
    for (let waited = ''; ; ) {
      const { body } = await get(`/products/${id}/sync-status?wait=5s${waited}`)
      const open = Object.entries(body.services).filter(([, status]) => status === 'pending' || status === 'retrying')
      if (open.length === 0) return body
      waited = `&consumers=${open.map(([name]) => name).join()}`
    }
  }
  return {
    shop,
    get,
    send: (method, path, body) => call(method, path, body),
    synced,
    until,
    async product(id, fields = {}) {
      await said('POST', '/products', { id, title: id, variants: [variant(`${id}-1`)], ...fields }, 201)
      await synced(id)
    },
    async change(id, fields) {
      await said('PATCH', `/products/${id}`, fields, 200)
      await synced(id)
    },
    async stock(id, quantity) {
      await said('PATCH', `/products/${id}/inventory`, { sku: `${id}-1`, quantity }, 200)
      await synced(id)
    },
    async [Symbol.asyncDispose]() {
      await shop[Symbol.asyncDispose]()
      await rm(LOCKSTEP_DATA, { recursive: true, force: true })
    },
  }
}
