import { expect, test } from 'vitest'
import { madeProduct } from '../../../test/made-events.ts'
import { decimal, seoPage, shortened } from './page.ts'
import { productSlug, slugOf } from './slug.ts'

test.each([
  ['Crème Brûlée №5!', 'creme-brulee-no5'],
  ["Men's  Shirt -- L/XL", 'mens-shirt-l-xl'],
  ['Straße & Ærø', 'strasse-aero'],
  ['Молоток «Сибирь»', 'molotok-sibir'],
  ['Φακός', 'fakos'],
  ['İstanbul', 'istanbul'],
  ['日本語', ''],
  ['../../etc/passwd', 'etc-passwd'],
  ['🎧', ''],
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
  [{ id: 'P 1', title: '日本', attributes: {} }, 'p-1'],
  [{ id: '日', title: '日本', attributes: { slug: 7 } }, 'p-f4f10a0b9bee'],
])('a product %j has the slug %s', (product, slug) => {
  expect(productSlug(product)).toMatch(slug.startsWith('p-f') ? /^p-[0-9a-f]{12}$/ : slug)
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
  const page = seoPage(
    madeProduct('a', { title: 'T '.repeat(99), description: `<p>Fine &amp; <b>dandy</b></p>${'x '.repeat(400)}` }),
    'a',
  )
  expect([...page.metaTitle].length).toBeLessThanOrEqual(60)
  expect([...page.metaDescription].length).toBeLessThanOrEqual(155)
  expect(page.metaDescription).toMatch(/^Fine &amp; dandy x/)
  expect(page.jsonLd).toMatchObject({
    '@type': 'Product',
    offers: [{ sku: 'a-1', price: '10.00', priceCurrency: 'EUR' }],
  })
})
