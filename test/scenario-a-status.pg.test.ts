/** Document A, sections 10 to 12 and 15: the sync status as a contract, and what happens when a service fails. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStory, type Story, variant } from './scenario-a.ts'

let story: Story

beforeAll(async () => {
  story = await openStory()
}, 60_000)
afterAll(() => story[Symbol.asyncDispose](), 30_000)

const followers = ['inventory', 'collections', 'search', 'pricing', 'seo'] as const
const failing = (consumer: string, key: string, times?: number) =>
  story.send('POST', `/consumers/${consumer}/faults`, {
    keys: [key],
    error: `${consumer} can not`,
    ...(times && { times }),
  })
const mended = (consumer: string) => story.send('DELETE', `/consumers/${consumer}/faults`)
/** For good, and past all events that the product's change brought about; everybody else has them. */
const hasFailed = (id: string, name: string) =>
  story.until(
    async () => {
      const status = await detail(id)
      const { items } = (await story.get(`/events?key=${id}&limit=200`)).body
      return { ...status, isPast: status.detail[name].position >= items.at(-1).position }
    },
    {
      overallStatus: 'partial-failure',
      services: { ...Object.fromEntries(followers.map((one) => [one, 'done'])), [name]: 'failed' },
      detail: { [name]: { error: `${name} can not`, attempts: 3 } },
      isPast: true,
    },
  )
const detail = async (id: string) => (await story.get(`/products/${id}/sync-status?detail=true`)).body

test('§12 the status is an overall word and one for each service', async () => {
  await story.product('plain')
  const { code, body } = await story.get('/products/plain/sync-status')
  expect(code).toBe(200)
  expect(Object.keys(body).sort()).toEqual(['overallStatus', 'services'])
  expect(body.overallStatus).toBe('completed')
  for (const name of followers) expect(body.services[name]).toBe('done')
  expect((await story.get('/products/never/sync-status')).code).toBe(404)
})

test.each(
  followers,
)('§15 when %s fails, the product is saved, the others go on, and the status says who and why', async (name) => {
  const id = `broken-${name}`
  await failing(name, id)
  await story.product(id)
  await hasFailed(id, name)
  expect((await story.get(`/products/${id}`)).code).toBe(200)
  // A later event of the product, as of its stock, is tried anew: for a moment there is no letter.
  const letters = async () => (await story.get(`/dead-letters?consumer=${name}`)).body.items
  await story.until(letters, [{ key: id, attempts: 3 }])

  // The admin tries again, first in vain, then with success.
  await story.send('POST', `/products/${id}/sync-retry`, { consumer: name })
  await hasFailed(id, name)
  await mended(name)
  expect(await story.send('POST', `/products/${id}/sync-retry`)).toMatchObject({ code: 202, body: { retried: 1 } })
  await story.until(() => story.synced(id), { overallStatus: 'completed' })
  expect(await letters()).toEqual([])
})

test('§15 a transient failure is tried again by itself and in the end done, and its failures leave no trace', async () => {
  await failing('search', 'shaky', 2)
  await story.product('shaky', { title: 'Shaky table' })
  await story.until(() => story.synced('shaky'), { overallStatus: 'completed' })
  expect((await story.get('/search?q=shaky')).body.items).toMatchObject([{ id: 'shaky' }])
  await mended('search')
})

test('§15 a service that recovers has the last event, not the one it failed at', async () => {
  await story.product('late', { title: 'Late one' })
  await failing('search', 'late')
  await story.change('late', { title: 'Late two' })
  await story.change('late', { title: 'Late three' })
  await hasFailed('late', 'search')
  expect((await story.get('/search?q=late')).body.items).toMatchObject([{ title: 'Late one' }])
  await mended('search')
  await story.change('late', { title: 'Late four' })
  await story.until(() => story.synced('late'), { overallStatus: 'completed' })
  expect((await story.get('/search?q=late')).body.items).toMatchObject([{ title: 'Late four' }])
  expect((await story.get('/dead-letters?consumer=search')).body.items).toEqual([])
})

test('§11 a status is of a version: one that failed stays failed until it is applied, and one that never was is not found', async () => {
  await story.product('stepwise', { variants: [variant('stepwise-1')] })
  await failing('seo', 'stepwise')
  await story.change('stepwise', { title: 'Second' })
  await hasFailed('stepwise', 'seo')
  expect((await story.get('/products/stepwise/sync-status?version=2')).body.services.seo).toBe('failed')
  expect((await story.get('/products/stepwise/sync-status?version=9')).code).toBe(404)
  await mended('seo')
  await story.send('POST', '/products/stepwise/sync-retry')
  await story.until(() => story.synced('stepwise'), { overallStatus: 'completed' })
})

test('§15 one product’s failure holds up no other product', async () => {
  await failing('collections', 'stuck')
  const ids = Array.from({ length: 20 }, (_, n) => `fine-${n}`)
  await Promise.all(['stuck', ...ids].map((id) => story.product(id)))
  for (const id of ids) expect(await story.synced(id)).toMatchObject({ overallStatus: 'completed' })
  await hasFailed('stuck', 'collections')
  await mended('collections')
})
