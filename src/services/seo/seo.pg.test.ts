import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { createTestDatabase } from '../../../test/database.ts'
import { madeEvent, productDeleted, productEvent, stockEvent } from '../../../test/made-events.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import { type TestEngine, testEngine } from '../../testing.ts'
import { pageOfProduct, resolvePath } from './read.ts'
import { seoProjection } from './seo-projection.ts'
import { seoService } from './service.ts'
import { fileOf, filesOf, fileXml } from './sitemap.ts'
import { verifySeo } from './verify.ts'

const projection = seoProjection()
const shop = { url: 'https://shop.example' }
let engine: TestEngine

beforeAll(async () => {
  engine = (await testEngine((await createTestDatabase()).url, (to) => [seoService(to)])).engine
})
beforeEach(() => engine.db`truncate seo.pages, seo.redirects, seo.choices, seo.prices, seo.stock, seo.sitemap`)
afterAll(() => engine.close())

const apply = (...changes: LoggedEvent[]) => engine.db.begin((tx) => projection.apply(changes, tx))
const slugs = async () =>
  Object.fromEntries(
    (await engine.db`select product_id, slug from seo.pages order by 1`).map((row) => [row.product_id, row.slug]),
  )
const redirects = async () =>
  Object.fromEntries(
    (await engine.db`select slug, product_id from seo.redirects order by 1`).map((row) => [row.slug, row.product_id]),
  )
const resolved = async (path: string) => {
  const found = await resolvePath(engine.db, path, shop)
  return found?.status === 301 ? `301 ${found.location}` : (found?.status ?? 404)
}
/** As the source has it, and the event that tells it. */
const chosen = async (productId: string, version: number, slug: string | null, redirectTo: string | null = null) => {
  await engine.db`
    insert into seo.choices (product_id, version, slug, redirect_to) values (${productId}, ${version}, ${slug}, ${redirectTo})
    on conflict (product_id) do update set version = excluded.version, slug = excluded.slug, redirect_to = excluded.redirect_to`
  const data = { productId, slug, redirectTo, changes: [] }
  return madeEvent('seo.updated', productId, `seo/${productId}`, version, data)
}

test('old slugs lead to the product, however often it was renamed, and back again makes no loop', async () => {
  await apply(productEvent('a', 1, { title: 'One' }))
  await apply(productEvent('a', 2, { title: 'Two' }))
  await apply(productEvent('a', 3, { title: 'Three' }))
  expect(await redirects()).toEqual({ one: 'a', two: 'a' })
  expect([await resolved('/products/one'), await resolved('/products/two')]).toEqual([
    '301 /products/three',
    '301 /products/three',
  ])
  await apply(productEvent('a', 4, { title: 'One' }))
  expect(await slugs()).toEqual({ a: 'one' })
  expect(await redirects()).toEqual({ three: 'a', two: 'a' })
  expect([await resolved('/products/one'), await resolved('/products/three')]).toEqual([200, '301 /products/one'])
})

test('a slug of another live product is a failure that names its holder, and changes nothing', async () => {
  await apply(productEvent('a', 1, { title: 'Same' }))
  await expect(apply(productEvent('b', 1, { title: 'SAME!' }))).rejects.toThrow(
    'slug conflict: "same" belongs to product a: choose another slug with PUT /v1/products/b/slug',
  )
  await expect(apply(productEvent('c', 1, { title: 'New' }), productEvent('d', 1, { title: 'new' }))).rejects.toThrow(
    'belongs to product c',
  )
  expect(await slugs()).toEqual({ a: 'same' })
})

test('a slug passes from one product to another within a batch', async () => {
  await apply(productEvent('a', 1, { title: 'One' }), productEvent('b', 1, { title: 'Two' }))
  await apply(productEvent('b', 2, { title: 'One' }), productEvent('a', 2, { title: 'Two' }))
  expect(await slugs()).toEqual({ a: 'two', b: 'one' })
  expect(await redirects()).toEqual({})
})

test('a product may take a slug that only a redirect holds', async () => {
  await apply(productEvent('a', 1, { title: 'One' }))
  await apply(productEvent('a', 2, { title: 'Two' }))
  await apply(productEvent('b', 1, { title: 'One' }))
  expect(await slugs()).toEqual({ a: 'two', b: 'one' })
  expect(await redirects()).toEqual({})
})

test('a deleted product’s addresses are gone for good, until another takes them or it comes back', async () => {
  await apply(productEvent('a', 1, { title: 'One' }))
  await apply(productEvent('a', 2, { title: 'Two' }))
  await apply(productDeleted('a', 3, { title: 'Two' }))
  expect(await slugs()).toEqual({ a: null })
  expect([await resolved('/products/one'), await resolved('/products/two')]).toEqual([410, 410])
  await apply(productEvent('b', 1, { title: 'One' }))
  expect(await resolved('/products/one')).toBe(200)
  await apply(productEvent('a', 4, { title: 'Two' }))
  expect(await slugs()).toEqual({ a: 'two', b: 'one' })
  expect(await redirects()).toEqual({})
})

test('a deleted product’s addresses lead where it was chosen, in one step', async () => {
  await apply(productEvent('a', 1, { title: 'One' }), productEvent('b', 1, { title: 'Better' }))
  await apply(await chosen('a', 1, null, 'b'), await chosen('b', 1, null, 'a'))
  expect(await resolved('/products/one')).toBe(200)
  await apply(productDeleted('a', 2))
  expect(await resolved('/products/one')).toBe('301 /products/better')
  await apply(productEvent('b', 2, { title: 'Best' }))
  expect(await resolved('/products/one')).toBe('301 /products/best')
  await apply(productDeleted('b', 3))
  expect([await resolved('/products/one'), await resolved('/products/best')]).toEqual([410, 410])
})

test('an address of a product is led on through successors that are deleted too, and a circle of them leads nowhere', async () => {
  const titles = { a: 'One', b: 'Two', c: 'Three' }
  await apply(...Object.entries(titles).map(([id, title]) => productEvent(id, 1, { title })))
  await apply(await chosen('a', 1, null, 'b'), await chosen('b', 1, null, 'c'))
  await apply(productDeleted('a', 2), productDeleted('b', 2))
  expect([await resolved('/products/one'), await resolved('/products/two')]).toEqual([
    '301 /products/three',
    '301 /products/three',
  ])
  await apply(await chosen('c', 1, null, 'a'), productDeleted('c', 2))
  expect([await resolved('/products/one'), await resolved('/products/three')]).toEqual([410, 410])
})

test('an older version changes nothing, not even when its slug is taken by now', async () => {
  await apply(productEvent('a', 3, { title: 'Three' }), productEvent('b', 1, { title: 'One' }))
  await apply(productEvent('a', 2, { title: 'One' }))
  await apply(productEvent('a', 3, { title: 'Three' }))
  expect(await slugs()).toEqual({ a: 'three', b: 'one' })
  expect(await redirects()).toEqual({})
  await apply(productDeleted('a', 2))
  expect(await slugs()).toEqual({ a: 'three', b: 'one' })
})

test('of two transactions that want one slug at the same time, one fails with a slug conflict', async () => {
  const results = await Promise.allSettled(['a', 'b', 'c'].map((id) => apply(productEvent(id, 1, { title: 'Same' }))))
  const failures = results.filter((result) => result.status === 'rejected')
  expect(failures).toHaveLength(2)
  for (const { reason } of failures) expect(reason.message).toMatch(/slug conflict: /)
  expect(Object.values(await slugs())).toEqual(['same'])
})

test('a chosen slug stands whatever the title, the old one leads to it, and taken back the title’s returns', async () => {
  await apply(productEvent('a', 1, { title: 'One' }))
  await apply(await chosen('a', 1, 'the-best'))
  expect([await slugs(), await redirects()]).toEqual([{ a: 'the-best' }, { one: 'a' }])
  await apply(productEvent('a', 2, { title: 'Two' }))
  expect(await slugs()).toEqual({ a: 'the-best' })
  await apply(await chosen('a', 2, null))
  expect([await slugs(), await redirects()]).toEqual([{ a: 'two' }, { one: 'a', 'the-best': 'a' }])
})

test('a slug stays as it was made as long as the title does, however letters are written by now', async () => {
  await apply(productEvent('a', 1, { title: 'Хлеб' }))
  await engine.db`update seo.pages set slug = 'hlieb', made = 'hlieb'`
  await apply(productEvent('a', 2, { title: 'Хлеб', description: 'Bread' }))
  expect(await slugs()).toEqual({ a: 'hlieb' })
  await apply(productEvent('a', 3, { title: 'Хлеб!' }))
  expect([await slugs(), await redirects()]).toEqual([{ a: 'khleb' }, { hlieb: 'a' }])
})

test('another way of writing an address is sent to the one it has', async () => {
  await apply(productEvent('a', 1, { title: 'One' }))
  for (const path of ['/products/ONE', '/products/one/', '/Products/one', '/products/%6fne', '/products/one?utm=1'])
    expect(await resolved(path)).toBe('301 /products/one')
  for (const path of ['/products/', '/products/one/two', '/one', '/products/%', '/products/none'])
    expect(await resolved(path)).toBe(404)
})

test('offers have the effective price and the real stock, taken back by nothing older', async () => {
  const price = (version: number, effective: number) =>
    madeEvent('price.updated', 'a', 'price/a', version, {
      productId: 'a',
      prices: { 'a-1': { list: 1000, effective, currency: 'EUR', applied: [] } },
      problems: [],
      changes: [],
    })
  await apply(productEvent('a', 1), price(2, 800), stockEvent('a', 2, 0))
  await apply(price(1, 500), stockEvent('a', 1, 9))
  expect((await pageOfProduct(engine.db, 'a', shop))?.jsonLd.offers).toMatchObject([
    { price: '8.00', availability: 'https://schema.org/OutOfStock' },
  ])
})

test('the sitemap names active products, and its date changes with words and pictures, not with prices', async () => {
  const urls = async () => {
    let text = ''
    for (const file of await filesOf(engine.db)) for await (const part of fileXml(engine.db, file, shop)) text += part
    return [...text.matchAll(/<loc>([^<]*)<\/loc>/g)].map(([, url]) => url)
  }
  await apply(
    productEvent('a', 1, { title: 'One' }),
    productEvent('b', 1, { title: 'Two', status: 'draft' }),
    productEvent('c', 1, { title: 'Three' }),
  )
  expect((await urls()).sort()).toEqual(['https://shop.example/products/one', 'https://shop.example/products/three'])
  const [before] = await filesOf(engine.db)
  await apply(productEvent('a', 2, { title: 'One', variants: [] }))
  expect((await filesOf(engine.db))[0]).toEqual(before)
  await apply(productEvent('a', 3, { title: 'One', description: 'More' }))
  expect((await filesOf(engine.db))[0]?.etag).not.toBe(before?.etag)
  await apply(productDeleted('a', 4), productEvent('c', 2, { title: 'Three', status: 'archived' }))
  expect(await urls()).toEqual([])
})

test('a file of the sitemap never has more than 50,000 addresses, and one change touches one file', async () => {
  await engine.db`
    insert into seo.sitemap (product_id, slug, last_modified)
    select 'p' || n, 'p' || n, '2026-01-01' from generate_series(1, 120000) as n`
  const before = await filesOf(engine.db)
  expect(before).toHaveLength(8)
  expect(Math.max(...before.map((file) => file.count))).toBeLessThan(50_000)
  expect(before.reduce((sum, file) => sum + file.count, 0)).toBe(120_000)
  await engine.db`update seo.sitemap set slug = 'new' where product_id = 'p77'`
  const after = await filesOf(engine.db)
  expect(after.filter((file, n) => file.etag !== before[n]?.etag)).toHaveLength(1)
  let found = 0
  for await (const part of fileXml(engine.db, before[0] as (typeof before)[0], shop))
    found += part.split('<url>').length - 1
  expect(found).toBe(before[0]?.count)
  // A name from when there were fewer files still is one of them.
  expect(await fileOf(engine.db, 1, 4)).toMatchObject({ count: (before[0]?.count ?? 0) + (before[1]?.count ?? 0) })
  expect(await fileOf(engine.db, 3, 3)).toBeUndefined()
})

test('read again from the start, addresses stay where they are', async () => {
  const events = [productEvent('a', 1, { title: 'One' }), productEvent('a', 2, { title: 'Two' })]
  for (const event of events) await apply(event)
  await apply(productEvent('b', 1, { title: 'One' }))
  await engine.db.begin((tx) => projection.reset?.(tx) ?? Promise.resolve())
  for (const event of events) await apply(event)
  expect([await slugs(), await redirects()]).toEqual([{ a: 'two', b: 'one' }, {}])
})

test('its proof finds a page that the sitemap does not name, and a redirect that hides one', async () => {
  await apply(productEvent('a', 1, { title: 'One' }), productEvent('b', 1, { title: 'Two', status: 'draft' }))
  await apply(productEvent('a', 2, { title: 'Three' }), productDeleted('c', 1))
  expect(await verifySeo(engine.db)).toEqual([])
  await engine.db`update seo.sitemap set slug = 'one'`
  await engine.db`insert into seo.redirects (slug, product_id) values ('two', 'a'), ('lost', 'z')`
  expect((await verifySeo(engine.db)).map(({ what, detail }) => `${what} ${detail}`).sort()).toEqual([
    'product a the page is at three, the sitemap says one',
    'slug lost leads to product z, which has never been',
    'slug two is the live address of product b',
  ])
})
