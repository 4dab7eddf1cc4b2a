import { expect, test } from 'vitest'
import { madeProduct } from '../../../test/made-events.ts'
import type { Product } from '../catalog/events.ts'
import { gtin } from './json-ld.ts'
import { decimal, type Known, offersOf } from './offers.ts'
import { forScript, seoPage, shortened } from './page.ts'
import { slugFrom, slugOf, slugSource } from './slug.ts'

const shop = { url: 'https://shop.example' }
const nothing: Known = { prices: new Map(), stock: new Map() }
const pageFor = (fields: Partial<Product>, known: Partial<Known> = {}) => {
  const product = madeProduct('a', fields)
  return seoPage(product, 'a-slug', offersOf(product, { ...nothing, ...known }), shop)
}
const variant = (sku: string, amount: number, currency = 'EUR') => ({ sku, options: {}, price: { amount, currency } })

test.each([
  ['Crème Brûlée №5!', 'creme-brulee-no5'],
  ["Men's  Shirt -- L/XL", 'mens-shirt-l-xl'],
  ['Straße & Ærø', 'strasse-aero'],
  ['Молоток «Сибирь»', 'molotok-sibir'],
  ['Φακός', 'fakos'],
  ['İstanbul', 'istanbul'],
  ['日本語', 'ribenyu'],
  ['한국어', 'hangugeo'],
  ['العربية', 'lrbyh'],
  ['हिन्दी', 'hindi'],
  ['../../etc/passwd', 'etc-passwd'],
  ['🎧', 'headphones'],
  ['---', ''],
])('%j becomes the slug %j', (title, slug) => {
  expect(slugOf(title)).toBe(slug)
})

test('a long slug is cut between words', () => {
  const slug = slugOf('word '.repeat(40))
  expect(slug.length).toBeLessThanOrEqual(80)
  expect(slug).toMatch(/^(word-)*word$/)
  expect(slugOf('x'.repeat(300))).toBe('x'.repeat(80))
})

test.each([
  [{ id: 'p1', title: 'Red', attributes: {} }, 'red'],
  [{ id: 'p1', title: 'Red', attributes: { handle: 'my-red' } }, 'my-red'],
  [{ id: 'P 1', title: '---', attributes: {} }, 'p-1'],
  [{ id: '--', title: '…', attributes: { slug: 7 } }, 'p-cd8cc4ac4e9f'],
])('a product %j has the slug %s', (product, slug) => {
  expect(slugFrom(slugSource(product))).toMatch(slug.startsWith('p-c') ? /^p-[0-9a-f]{12}$/ : slug)
})

test.each([
  [1999, 'EUR', '19.99'],
  [5, 'EUR', '0.05'],
  [1999, 'JPY', '1999'],
  [1, 'KWD', '0.001'],
  [Number.MAX_SAFE_INTEGER, 'EUR', '90071992547409.91'],
])('%d minor units of %s are %s', (amount, currency, text) => {
  expect(decimal({ amount, currency })).toBe(text)
})

test.each([
  ['short', 10, 'short'],
  ['exactly 10', 10, 'exactly 10'],
  ['one two three four', 12, 'one two…'],
  ['one two three four', 14, 'one two three…'],
  ['uninterrupted', 5, 'unin…'],
  ['🎧🎧🎧🎧', 6, '🎧🎧…'],
])('%j in %d characters is %j', (text, max, short) => {
  expect(shortened(text, max)).toBe(short)
})

test('a page keeps to its limits and loses tags', () => {
  const page = pageFor({ title: 'T '.repeat(99), description: `<p>Fine &amp; <b>dandy</b></p>${'x '.repeat(400)}` })
  expect([...page.metaTitle].length).toBeLessThanOrEqual(60)
  expect([...page.metaDescription].length).toBeLessThanOrEqual(155)
  expect(page.metaDescription).toMatch(/^Fine &amp; dandy x/)
  expect(page.jsonLd).toMatchObject({
    '@type': 'Product',
    offers: [{ sku: 'a-1', price: '10.00', priceCurrency: 'EUR' }],
  })
})

test.each([
  ['4006381333931', { gtin13: '4006381333931' }],
  ['96385074', { gtin8: '96385074' }],
  ['036000291452', { gtin12: '036000291452' }],
  ['10012345678902', { gtin14: '10012345678902' }],
  ['4006381333932', {}],
  ['12345', {}],
  ['40063813339AB', {}],
  [undefined, {}],
])('the barcode %s is %j', (barcode, expected) => {
  expect(gtin(barcode)).toEqual(expected)
})

// Vendor's word, stock (undefined: inventory has not spoken), attributes.
test.each<[boolean, number | undefined, Record<string, boolean>, string]>([
  [true, 3, {}, 'InStock'],
  [true, undefined, {}, 'InStock'],
  [true, 0, {}, 'OutOfStock'],
  [false, 3, {}, 'OutOfStock'],
  [false, 0, { backorder: true }, 'BackOrder'],
  [false, 3, { backorder: true }, 'OutOfStock'],
  [false, 0, { preorder: true, backorder: true }, 'PreOrder'],
  [true, 3, { preorder: true }, 'InStock'],
])('offered %s with %s in stock and %j it is %s', (isAvailable, available, attributes, expected) => {
  const stock = new Map(available === undefined ? [] : [['a-1', available]])
  expect(pageFor({ isAvailable, attributes }, { stock }).jsonLd).toMatchObject({
    offers: [{ availability: `https://schema.org/${expected}` }],
  })
})

test('prices are the effective ones, several make an AggregateOffer, and each currency has its own', () => {
  const variants = [variant('s', 1000), variant('m', 1000), variant('yen', 900, 'JPY')]
  const prices = new Map([['m', { amount: 1250, currency: 'EUR' }]])
  const { jsonLd } = pageFor({ variants }, { prices, stock: new Map([['s', 0]]) })
  expect(jsonLd.offers).toMatchObject([
    {
      '@type': 'AggregateOffer',
      lowPrice: '10.00',
      highPrice: '12.50',
      priceCurrency: 'EUR',
      offerCount: 2,
      availability: 'https://schema.org/InStock',
      offers: [
        { sku: 's', price: '10.00', availability: 'https://schema.org/OutOfStock' },
        { sku: 'm', price: '12.50' },
      ],
    },
    { '@type': 'Offer', sku: 'yen', price: '900', priceCurrency: 'JPY' },
  ])
})

// What schema.org knows of them, and what Google's merchant listings require.
const properties: Record<string, { known: string[]; required: string[] }> = {
  Product: {
    known: [
      'productID',
      'name',
      'url',
      'description',
      'category',
      'brand',
      'image',
      'sku',
      'gtin8',
      'gtin12',
      'gtin13',
      'gtin14',
      'offers',
    ],
    required: ['name', 'image', 'offers'],
  },
  Brand: { known: ['name'], required: ['name'] },
  Offer: {
    known: ['sku', 'name', 'gtin8', 'gtin12', 'gtin13', 'gtin14', 'url', 'price', 'priceCurrency', 'availability'],
    required: ['price', 'priceCurrency', 'availability', 'url', 'sku'],
  },
  AggregateOffer: {
    known: ['lowPrice', 'highPrice', 'priceCurrency', 'offerCount', 'availability', 'offers'],
    required: ['lowPrice', 'highPrice', 'priceCurrency', 'offerCount'],
  },
}

function faultsOf(node: unknown, at = ''): string[] {
  if (Array.isArray(node)) return node.flatMap((one, n) => faultsOf(one, `${at}[${n}]`))
  if (typeof node !== 'object' || node === null) return node === undefined || node === '' ? [`${at} is empty`] : []
  const { '@type': type, '@context': _, ...fields } = node as Record<string, unknown>
  const { known, required } = properties[String(type)] ?? { known: [], required: [] }
  return [
    ...(known.length === 0 ? [`${at} is a ${type}`] : []),
    ...required.filter((field) => !(field in fields)).map((field) => `${at} has no ${field}`),
    ...Object.entries(fields).flatMap(([field, value]) =>
      known.includes(field) ? faultsOf(value, `${at}.${field}`) : [`${at}.${field} is not schema.org's`],
    ),
    ...['price', 'lowPrice', 'highPrice']
      .filter((field) => field in fields && !/^\d+(\.\d+)?$/.test(String(fields[field])))
      .map((field) => `${at}.${field} is no decimal`),
    ...('availability' in fields &&
    !/^https:\/\/schema\.org\/(InStock|OutOfStock|BackOrder|PreOrder)$/.test(String(fields.availability))
      ? [`${at}.availability`]
      : []),
    ...(field(fields, 'image').some((url) => !URL.canParse(String(url))) ? [`${at}.image is no address`] : []),
  ]
}
const field = (fields: Record<string, unknown>, name: string) => [fields[name] ?? []].flat()

test('JSON-LD has what schema.org knows and Google requires, and nothing else', () => {
  const variants = [
    { ...variant('s', 1000), barcode: '4006381333931', title: 'Small' },
    { ...variant('m', 1500), barcode: 'B-7' },
  ]
  const media = [{ url: '/media/one.jpg', alt: 'One' }, { url: 'https://cdn.example/two.png' }, { url: '/film.mp4' }]
  const fields = { variants, media, description: 'Fine.', category: 'Lamps', vendorId: 'acme' }
  const { jsonLd } = pageFor(fields)
  expect(jsonLd).toMatchObject({
    brand: { '@type': 'Brand', name: 'acme' },
    image: ['https://shop.example/media/one.jpg', 'https://cdn.example/two.png'],
  })
  expect(faultsOf(jsonLd, 'Product')).toEqual([])
  expect(faultsOf(pageFor({ ...fields, variants: variants.slice(0, 1) }).jsonLd, 'Product')).toEqual([])
  expect(faultsOf(pageFor({}).jsonLd, 'Product')).toEqual(['Product has no image'])
})

test('nothing that somebody writes ends a script or a tag', () => {
  const { head } = pageFor({
    title: '</script><script>alert(1)</script>',
    description: '"><img src=x onerror=alert(1)>\u2028<!-- ',
    vendorId: `"'<&`,
    media: [{ url: 'https://cdn.example/"><script>.png' }],
  })
  expect(head.match(/<\/?script/g)).toEqual(['<script', '</script'])
  expect(head).not.toMatch(/<img|<!--|\u2028/)
  const [, json = ''] = /<script type="application\/ld\+json">(.*)<\/script>/s.exec(head) ?? []
  expect(JSON.parse(json)).toMatchObject({ name: '</script><script>alert(1)</script>' })
  expect(JSON.parse(forScript({ a: '<!--\u2029&' }))).toEqual({ a: '<!--\u2029&' })
})

test('what is not active is not to be found, and what is shared says price, picture and address', () => {
  const { meta, robots } = pageFor({ media: [{ url: '/a.png', alt: 'A' }], vendorId: 'acme' })
  expect(robots).toBe('index, follow')
  expect(meta).toEqual(
    expect.arrayContaining([
      { property: 'og:type', content: 'product' },
      { property: 'og:url', content: 'https://shop.example/products/a-slug' },
      { property: 'og:image', content: 'https://shop.example/a.png' },
      { property: 'og:image:alt', content: 'A' },
      { property: 'product:price:amount', content: '10.00' },
      { property: 'product:price:currency', content: 'EUR' },
      { name: 'twitter:card', content: 'summary_large_image' },
    ]),
  )
  expect(pageFor({ status: 'draft' }).meta).toContainEqual({ name: 'robots', content: 'noindex' })
})
