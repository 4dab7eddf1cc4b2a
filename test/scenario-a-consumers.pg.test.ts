/** Document A, sections 3 to 9, told on the running shop: what each service promises to do when a product changes. */
import { gunzipSync } from 'node:zlib'
import sharp from 'sharp'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { euros, openStory, type Story, variant } from './scenario-a.ts'

let story: Story

beforeAll(async () => {
  story = await openStory()
}, 60_000)
afterAll(() => story[Symbol.asyncDispose](), 30_000)

const idsOf = (answer: { body: { items: { id: string }[] } }) => answer.body.items.map((item) => item.id)
const eventsOf = async (id: string, type: string) => (await story.get(`/events?key=${id}&type=${type}`)).body.items

describe('§3 the product service publishes', () => {
  test('a change is stored with its event, which names what changed from what to what, and when', async () => {
    await story.product('vase', { title: 'Vase' })
    await story.change('vase', { title: 'Blue vase', tags: ['blue'] })
    expect(await eventsOf('vase', 'product.updated')).toMatchObject([
      {
        key: 'vase',
        version: 2,
        at: expect.any(String),
        data: {
          product: { id: 'vase', title: 'Blue vase' },
          changes: [
            { field: 'title', oldValue: 'Vase', newValue: 'Blue vase' },
            { field: 'tags', oldValue: [], newValue: ['blue'] },
          ],
        },
      },
    ])
  })

  test('every consumer is pending from the commit on, and shows progress before it has done anything', async () => {
    const followers = ['inventory', 'collections', 'search', 'pricing', 'seo']
    for (const name of followers) await story.send('POST', `/consumers/${name}/pause`)
    expect(
      await story.send('POST', '/products', { id: 'jug', title: 'Jug', variants: [variant('jug-1')] }),
    ).toMatchObject({
      code: 201,
    })
    const { body } = await story.get('/products/jug/sync-status')
    expect(body).toMatchObject({
      overallStatus: 'processing',
      services: Object.fromEntries(followers.map((name) => [name, 'pending'])),
    })
    for (const name of followers) await story.send('POST', `/consumers/${name}/resume`)
    expect(await story.synced('jug')).toMatchObject({
      overallStatus: 'completed',
      services: Object.fromEntries(followers.map((name) => [name, 'done'])),
    })
  })
})

describe('§4 inventory', () => {
  const itemsOf = async (id: string) =>
    (await story.get(`/products/${id}/inventory`)).body.items.map(
      (item: { sku: string; active: boolean; available: number }) => [item.sku, item.active, item.available],
    )

  test('stock is kept by variant: a new one gets an item, one that is removed rests', async () => {
    await story.product('shirt', { variants: [variant('shirt-1'), variant('shirt-2')] })
    expect(await itemsOf('shirt')).toEqual([
      ['shirt-1', true, 0],
      ['shirt-2', true, 0],
    ])
    await story.stock('shirt', 7)
    await story.change('shirt', { variants: [variant('shirt-1'), variant('shirt-3')] })
    expect(await itemsOf('shirt')).toEqual([
      ['shirt-1', true, 7],
      ['shirt-2', false, 0],
      ['shirt-3', true, 0],
    ])
  })

  test('availability follows: the last unit takes the product off the shelf, the first that is back returns it', async () => {
    await story.product('cup')
    await story.stock('cup', 2)
    await story.stock('cup', 0)
    await story.until(async () => (await story.get('/products/cup')).body, { isAvailable: false })
    await story.stock('cup', 1)
    await story.until(async () => (await story.get('/products/cup')).body, { isAvailable: true })
  })

  test('low stock is told once when it is crossed, not at every unit below', async () => {
    await story.product('plate')
    await story.stock('plate', 9)
    for (const left of [3, 2, 1]) await story.stock('plate', left)
    expect(await eventsOf('plate', 'stock.low')).toMatchObject([{ data: { threshold: 3, stock: { available: 3 } } }])
  })
})

describe('§5 collections', () => {
  test('category, attributes, tags, price and availability each move a product between collections, and each move is told', async () => {
    const rules = {
      lamps: { field: 'category', operator: 'equals', value: 'Lamps' },
      brass: { field: 'attribute', name: 'material', operator: 'equals', value: 'brass' },
      sale: { field: 'tag', operator: 'equals', value: 'sale' },
      cheap: { field: 'price', operator: 'between', value: [0, 1500] },
      there: { field: 'available', operator: 'equals', value: true },
      'not-there': {
        match: 'all',
        conditions: [
          { not: { field: 'available', operator: 'equals', value: true } },
          { field: 'category', operator: 'equals', value: 'Lamps' },
        ],
      },
    }
    for (const [id, rule] of Object.entries(rules))
      expect(await story.send('POST', '/collections', { id, title: id, rule })).toMatchObject({ code: 201 })
    await story.product('lamp')
    const collections = async () => idsOf(await story.get('/products/lamp/collections'))
    expect(await collections()).toEqual([])
    await story.change('lamp', { category: 'Lamps' })
    expect(await collections()).toEqual(['lamps', 'not-there'])
    await story.change('lamp', { attributes: { material: 'Brass' }, tags: ['sale'] })
    expect(await collections()).toEqual(['brass', 'lamps', 'not-there', 'sale'])
    await story.stock('lamp', 4)
    expect(await collections()).toEqual(['brass', 'lamps', 'sale', 'there'])
    await story.change('lamp', { variants: [variant('lamp-1', 1500)], category: null })
    expect(await collections()).toEqual(['brass', 'cheap', 'sale', 'there'])
    const told = [
      ...(await eventsOf('lamp', 'collection.product.added')),
      ...(await eventsOf('lamp', 'collection.product.removed')),
    ]
    expect(told.map((event) => event.version).sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(told.find((event) => event.version === 8).data.collections).toEqual(['brass', 'cheap', 'sale', 'there'])
  })

  test('a changed rule is evaluated for what is there already, and says of each product why it is in or out', async () => {
    await story.product('rug', { tags: ['wool'], attributes: { weight: 900 } })
    await story.product('mat', { tags: ['wool'], attributes: { weight: 100 } })
    const light = { field: 'attribute', name: 'weight', operator: 'lt', value: 500 }
    const rule = { match: 'all', conditions: [{ field: 'tag', operator: 'equals', value: 'wool' }, light] }
    await story.send('POST', '/collections', { id: 'wool', title: 'Wool', rule })
    const members = async () => idsOf(await story.get('/collections/wool/products'))
    await story.until(members, ['mat'])
    expect((await story.get('/collections/wool/explain/rug')).body).toMatchObject({
      member: false,
      belongs: false,
      rule: {
        of: [
          { holds: true, has: ['wool'] },
          { path: 'rule.conditions.1', holds: false, has: [900] },
        ],
      },
    })
    await story.send('PATCH', '/collections/wool', {
      rule: { match: 'all', conditions: [rule.conditions[0], { not: light }] },
    })
    await story.until(members, ['rug'])
    await story.until(
      async () => (await story.get('/collections/wool')).body.evaluating ?? 'nothing left',
      'nothing left',
    )
  })

  test('made again with the same key, a collection without an id is the one that was made', async () => {
    const again = async () => {
      const headers = { ...(await story.shop.as('ADMIN')), 'idempotency-key': 'once' }
      const payload = { title: 'Once', productIds: [] }
      return (await story.shop.app.inject({ method: 'POST', url: '/v1/collections', headers, payload })).json()
    }
    const first = await again()
    expect(first).toMatchObject({ title: 'Once', version: 1 })
    expect(await again()).toEqual(first)
  })

  test('what is pinned stands first in its order, one is moved, and what is wrong in a rule is named by its place', async () => {
    for (const id of ['pen', 'ink', 'pad']) await story.product(id, { category: 'Desk' })
    const desk = { field: 'category', operator: 'equals', value: 'Desk' }
    await story.send('POST', '/collections', { id: 'desk', title: 'Desk', rule: desk, productIds: ['pen', 'pad'] })
    const members = async () => idsOf(await story.get('/collections/desk/products'))
    await story.until(members, ['pen', 'pad', 'ink'])
    expect(await story.send('PUT', '/collections/desk/products/ink', { place: 1 })).toMatchObject({
      body: { version: 2, productIds: ['pen', 'ink', 'pad'] },
    })
    await story.until(members, ['pen', 'ink', 'pad'])
    const wrong = { match: 'any', conditions: [desk, { not: { field: 'price', operator: 'gt', value: 'much' } }] }
    const refused = await story.send('PATCH', '/collections/desk', { rule: wrong })
    expect(refused).toMatchObject({ code: 422, body: { errors: [{ field: 'rule.conditions.1.not.value' }] } })
  })
})

describe('§6 search', () => {
  test('title, description, attributes, price and stock are found as they are now', async () => {
    await story.product('chair', { title: 'Rocking chair' })
    await story.change('chair', { title: 'Garden chair', description: 'Weatherproof', attributes: { wood: 'teak' } })
    for (const words of ['garden', 'weatherproof', 'teak'])
      expect(idsOf(await story.get(`/search?q=${words}`))).toContain('chair')
    expect(idsOf(await story.get('/search?q=rocking'))).not.toContain('chair')
    await story.change('chair', { variants: [variant('chair-1', 123)] })
    expect(idsOf(await story.get('/search?q=chair&priceMax=123'))).toContain('chair')
    await story.stock('chair', 1)
    expect(idsOf(await story.get('/search?q=chair&available=true'))).toContain('chair')
    await story.stock('chair', 0)
    expect(idsOf(await story.get('/search?q=chair&available=true'))).not.toContain('chair')
  })

  test('while the index is behind, the status says so and nothing else waits for it', async () => {
    await story.product('bench')
    await story.send('POST', '/consumers/search/pause')
    await story.send('PATCH', '/products/bench', { title: 'Park bench' })
    const others = 'inventory,collections,pricing,seo'
    await story.until(async () => (await story.get(`/products/bench/sync-status?wait=8s&consumers=${others}`)).body, {
      overallStatus: 'processing',
      services: { search: 'pending', inventory: 'done', collections: 'done', pricing: 'done', seo: 'done' },
    })
    await story.send('POST', '/consumers/search/resume')
    expect(await story.synced('bench')).toMatchObject({ overallStatus: 'completed', services: { search: 'done' } })
  })
})

describe('§7 media', () => {
  const upload = async (id: string, payload: Buffer) => {
    const headers = { ...(await story.shop.as('ADMIN')), 'content-type': 'image/png' }
    return (await story.shop.app.inject({ method: 'POST', url: `/v1/products/${id}/media`, headers, payload }))
      .statusCode
  }

  test('an image gets a thumbnail and smaller sizes, and who shows the product to others shows it', async () => {
    await story.product('poster')
    const image = sharp({ create: { width: 900, height: 600, channels: 3, background: '#3b6' } })
    expect(await upload('poster', await image.png().toBuffer())).toBe(201)
    expect(await story.synced('poster')).toMatchObject({ overallStatus: 'completed', services: { media: 'done' } })
    const [shown] = (await story.get('/products/poster/media')).body.media
    expect(shown).toMatchObject({ state: 'ready', asset: { kind: 'image', width: 900, height: 600 } })
    const names = shown.asset.renditions.map((one: { name: string }) => one.name)
    expect(names).toEqual(expect.arrayContaining(['thumb', 'small']))
    const { body } = await story.get('/products/poster/seo')
    expect(body.jsonLd.image).toEqual([`http://localhost:4000${shown.asset.url}`])
  })

  test('a broken image is media’s failure for that product, and taking it off heals it', async () => {
    await story.product('torn')
    await upload('torn', Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(200)]))
    const others = Object.fromEntries(
      ['inventory', 'collections', 'search', 'pricing', 'seo'].map((name) => [name, 'done']),
    )
    await story.until(() => story.synced('torn'), {
      overallStatus: 'partial-failure',
      services: { ...others, media: 'failed' },
    })
    await story.change('torn', { media: [] })
    await story.until(() => story.synced('torn'), { overallStatus: 'completed' })
  })
})

describe('§8 pricing', () => {
  const priceOf = async (id: string) => (await story.get(`/products/${id}/prices`)).body

  test('price and compare-at price come with the product, a rule takes off and says so, and who follows prices has it', async () => {
    const rule = { id: 'ten', name: 'Ten off', scope: { tags: ['outlet'] }, effect: { percentOff: 10 } }
    expect(await story.send('POST', '/pricing/rules', rule)).toMatchObject({ code: 201 })
    await story.product('sofa', {
      variants: [variant('sofa-1', 50_000, { compareAtPrice: euros(70_000) })],
      tags: ['outlet'],
    })
    await story.until(() => priceOf('sofa'), {
      variants: [{ sku: 'sofa-1', list: 50_000, compareAt: 70_000, effective: 45_000, applied: [{ id: 'ten' }] }],
    })
    await story.synced('sofa')
    expect((await story.get('/products/sofa/seo')).body.jsonLd.offers).toMatchObject([{ price: '450.00' }])
    expect((await story.get('/search?q=sofa')).body.items).toMatchObject([{ price: { min: 45_000 } }])
  })

  test('a rule that a product can’t be priced by is pricing’s failure for that product, and healed without it', async () => {
    const rule = {
      id: 'yen',
      name: 'Yen off',
      scope: { products: ['desk'] },
      effect: { amountOff: { amount: 100, currency: 'JPY' } },
    }
    await story.send('POST', '/pricing/rules', rule)
    await story.product('desk')
    await story.until(async () => (await story.get('/products/desk/sync-status?detail=true')).body, {
      overallStatus: 'partial-failure',
      services: { pricing: 'failed', inventory: 'done', search: 'done', seo: 'done', collections: 'done' },
      detail: { pricing: { error: expect.stringContaining('yen') } },
    })
    await story.send('DELETE', '/pricing/rules/yen')
    await story.until(() => story.synced('desk'), { overallStatus: 'completed' })
  })
})

describe('§9 SEO', () => {
  test('a new title makes a new slug, the old one leads to it, and structured data follow price and stock', async () => {
    await story.product('tea', {
      title: 'Зелёный чай',
      vendorId: 'Leaf',
    })
    expect((await story.get('/products/tea/seo')).body).toMatchObject({ slug: 'zelenyy-chay' })
    await story.change('tea', { title: 'Green tea' })
    await story.stock('tea', 3)
    const { body } = await story.get('/products/tea/seo')
    expect(body).toMatchObject({
      slug: 'green-tea',
      canonical: 'http://localhost:4000/products/green-tea',
      robots: 'index, follow',
      jsonLd: { brand: { name: 'Leaf' }, offers: [{ price: '20.00', availability: 'https://schema.org/InStock' }] },
    })
    expect(body.head).toContain('<meta property="og:title" content="Green tea">')
    expect((await story.get('/seo/resolve?path=/products/zelenyy-chay')).body).toMatchObject({
      status: 301,
      location: '/products/green-tea',
    })
    await story.stock('tea', 0)
    expect((await story.get('/products/tea/seo')).body.jsonLd.offers).toMatchObject([
      { availability: 'https://schema.org/OutOfStock' },
    ])
  })

  test('a slug conflict is reported with the holder’s name, and heals by itself when the holder lets go', async () => {
    await story.product('first', { title: 'Twin' })
    await story.product('second', { title: 'Twin' })
    const status = async () => (await story.get('/products/second/sync-status?detail=true')).body
    await story.until(status, {
      overallStatus: 'partial-failure',
      services: { seo: 'failed', search: 'done', inventory: 'done', pricing: 'done', collections: 'done' },
      detail: {
        seo: {
          error:
            'slug conflict: "twin" belongs to product first: choose another slug with PUT /v1/products/second/slug',
        },
      },
    })
    await story.change('first', { title: 'Only child' })
    await story.until(status, { overallStatus: 'completed', services: { seo: 'done' } })
    expect((await story.get('/seo/resolve?path=/products/twin')).body).toMatchObject({
      status: 200,
      productId: 'second',
    })
  })

  test('a slug chosen by hand ends a conflict, by the route its dead letter names; one that another holds, or that is none, is refused', async () => {
    await story.product('third', { title: 'Same' })
    await story.product('fourth', { title: 'Same' })
    const letters = async () => (await story.get('/dead-letters?key=fourth')).body
    await story.until(letters, {
      items: [
        {
          error:
            'slug conflict: "same" belongs to product third: choose another slug with PUT /v1/products/fourth/slug',
        },
      ],
    })
    expect(await story.send('PUT', '/products/fourth/slug', { slug: 'same' })).toMatchObject({
      code: 409,
      body: { productId: 'third' },
    })
    expect(await story.send('PUT', '/products/fourth/slug', { slug: 'Not a slug' })).toMatchObject({ code: 422 })
    expect(await story.send('PUT', '/products/nobody/slug', { slug: 'none' })).toMatchObject({ code: 404 })
    expect(await story.send('PUT', '/products/fourth/slug', { slug: 'another' })).toMatchObject({
      code: 200,
      body: { slug: 'another', syncToken: 'seo/fourth@1' },
    })
    await story.until(() => story.synced('fourth'), { overallStatus: 'completed' })
    expect(await letters()).toMatchObject({ items: [] })
    expect((await story.get('/products/fourth/seo')).body).toMatchObject({ slug: 'another' })
  })

  test('the sitemap is sent packed to who asks for it so, and not again to who has it', async () => {
    await story.product('atlas')
    const ask = (url: string, headers = {}) => story.shop.app.inject({ url, headers })
    const index = await ask('/sitemap.xml')
    const [, path = ''] = /(\/sitemaps\/[^<]+)</.exec(index.body) ?? []
    for (const url of ['/sitemap.xml', path]) {
      const plain = await ask(url)
      const packed = await ask(url, { 'accept-encoding': 'br, gzip' })
      expect(packed.headers).toMatchObject({
        'content-encoding': 'gzip',
        'content-type': expect.stringContaining('xml'),
      })
      expect(gunzipSync(packed.rawPayload).toString()).toBe(plain.body)
      const again = await ask(url, { 'if-none-match': String(plain.headers.etag) })
      expect([again.statusCode, again.body]).toEqual([304, ''])
    }
    expect((await ask('/sitemaps/products-3-of-2.xml')).statusCode).toBe(404)
    expect((await ask('/sitemaps/etc.xml')).statusCode).toBe(400)
  })

  test('the sitemap names what is active, once, until it is deleted; then its address is gone, or leads where it was chosen', async () => {
    await story.product('old-kettle', { title: 'Old kettle' })
    await story.product('new-kettle', { title: 'New kettle' })
    const files = async () => {
      const { body } = await story.get('/sitemap.xml')
      const paths = [...body.matchAll(/<loc>[^<]*?(\/sitemaps\/[^<]+)<\/loc>/g)].map(([, path]) => path)
      return (await Promise.all(paths.map((path) => story.get(path)))).map((file) => file.body).join('')
    }
    expect((await files()).split('/products/old-kettle<')).toHaveLength(2)
    await story.send('DELETE', '/products/old-kettle')
    await story.synced('old-kettle')
    expect(await files()).not.toContain('/products/old-kettle<')
    const resolved = async () => (await story.get('/seo/resolve?path=/products/old-kettle')).body
    expect(await resolved()).toMatchObject({ status: 410 })
    await story.send('PUT', '/products/old-kettle/redirect', { redirectTo: 'new-kettle' })
    await story.until(resolved, { status: 301, location: '/products/new-kettle' })
    expect((await story.get('/robots.txt')).body).toContain('Sitemap: http://localhost:4000/sitemap.xml')
  })
})
