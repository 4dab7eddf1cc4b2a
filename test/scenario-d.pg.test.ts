/** Document D's event flow and each of its invalidation patterns, told on the running shop. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openStory, type Story, variant } from './scenario-a.ts'

let story: Story

beforeAll(async () => {
  story = await openStory()
  for (const [id, vendorId, category, amount] of [
    ['lamp', 'acme', 'Lamps', 2_000],
    ['desk', 'best', 'Desks', 30_000],
  ] as const)
    await story.product(id, { vendorId, category, status: 'active', variants: [variant(`${id}-1`, amount)] })
}, 60_000)
afterAll(() => story[Symbol.asyncDispose](), 30_000)

/** Product ids of a search, and how many parts of its answer were not in the cache: its page, and counts of facets. */
async function asked(query: string): Promise<{ ids: string[]; missed: number }> {
  const misses = async () => {
    const { items } = (await story.get('/caches')).body
    return items.find(({ name }: { name: string }) => name === 'search').misses as number
  }
  const before = await misses()
  const { items } = (await story.get(`/search?${query}`)).body
  return { ids: items.map(({ id }: { id: string }) => id).sort(), missed: (await misses()) - before }
}

test('Event Flow: an operation is one event with its changes, and who searches sees it at once', async () => {
  await story.change('lamp', { title: 'Lantern' })
  const { items } = (await story.get('/events?key=lamp&type=product.updated')).body
  expect(items.at(-1).data.changes).toEqual([{ field: 'title', oldValue: 'lamp', newValue: 'Lantern' }])
  expect((await asked('q=lantern')).ids).toEqual(['lamp'])
})

test.each([
  ['Vendor-Specific', 'vendor=acme', 'vendor=best', { tags: ['new'] }],
  ['Category-Based', 'category=lamps', 'category=desks', { tags: ['newer'] }],
  ['Price-Based', 'priceMin=1000&priceMax=2500', 'priceMin=25000&priceMax=40000', { tags: ['newest'] }],
])('%s Invalidation: a change drops the answers it may alter, and no others', async (_, its, others, fields) => {
  for (const query of [its, others]) await asked(query)
  expect([(await asked(its)).missed, (await asked(others)).missed]).toEqual([0, 0])
  await story.change('lamp', fields)
  const [other, own] = [await asked(others), await asked(its)]
  expect([other.ids, own.ids]).toEqual([['desk'], ['lamp']])
  // Of the others at most the counts of a facet that both are in, such as all vendors.
  expect(other.missed).toBeLessThanOrEqual(1)
  expect(own.missed).toBeGreaterThan(other.missed)
})

test('General Invalidation: a product that appears or disappears drops every answer', async () => {
  for (const query of ['vendor=best', 'category=desks']) await asked(query)
  await story.product('mug', { vendorId: 'clay', category: 'Mugs', status: 'active' })
  expect((await asked('vendor=best')).missed).toBeGreaterThan(0)
  await asked('vendor=best')
  await story.send('DELETE', '/products/mug')
  await story.until(async () => ({ missed: (await asked('vendor=best')).missed > 0 }), { missed: true })
})

test('a search asked again in another order of its parameters is the same search', async () => {
  await asked('category=desks&vendor=best&sort=title')
  expect((await asked('sort=title&vendor=best&category=desks')).missed).toBe(0)
})

test('Bulk availability: one event a product, all or none', async () => {
  const updates = ['lamp', 'desk'].map((productId) => ({ productId, isAvailable: false }))
  const { code, body } = await story.send('POST', '/products/availability', { updates })
  expect({ code, updated: body.updated }).toEqual({ code: 200, updated: ['lamp', 'desk'] })
  for (const id of ['lamp', 'desk']) {
    const { items } = (await story.get(`/events?key=${id}&type=product.updated`)).body
    expect(items.at(-1).data.changes).toEqual([{ field: 'isAvailable', oldValue: true, newValue: false }])
  }
  const none = await story.send('POST', '/products/availability', {
    updates: [
      { productId: 'lamp', isAvailable: true },
      { productId: 'nowhere', isAvailable: true },
    ],
  })
  expect(none.code).toBe(404)
  expect((await story.get('/products/lamp')).body.isAvailable).toBe(false)
})
