import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Product } from '../catalog/events.ts'
import { normalProduct } from '../catalog/product.ts'
import { wordsOf } from './product-words.ts'

const chair = (fields: object, id = 'p1') =>
  normalProduct({
    id,
    title: 'Oak chair',
    description: 'For the kitchen',
    category: 'chairs',
    vendorId: 'acme',
    tags: ['oak'],
    attributes: { colour: 'brown' },
    status: 'active',
    variants: [{ sku: 'CHAIR', title: 'Low', price: { amount: 100, currency: 'EUR' } }],
    ...fields,
  } as never) as unknown as Product

test('words are made once for a product whose price alone changes', () => {
  const first = wordsOf(chair({}))
  const dearer = [{ sku: 'CHAIR', title: 'Low', price: { amount: 200, currency: 'EUR' } }]
  expect(wordsOf(chair({ variants: dearer }))).toBe(first)
})

test.each([
  ['title', { title: 'Beech stool' }],
  ['description', { description: 'For the garden' }],
  ['category', { category: 'stools' }],
  ['vendor', { vendorId: 'other' }],
  ['tags', { tags: ['beech'] }],
  ['attributes', { attributes: { colour: 'green' } }],
  ['SKU', { variants: [{ sku: 'STOOL', title: 'Low', price: { amount: 100, currency: 'EUR' } }] }],
  ['variant', { variants: [{ sku: 'CHAIR', title: 'High', price: { amount: 100, currency: 'EUR' } }] }],
])('another %s makes other words', (_, fields) => {
  const first = wordsOf(chair({}))
  expect(wordsOf(chair(fields)).vector).not.toBe(first.vector)
})

test('whatever came before, a product’s words are those that it would have had alone', () => {
  const word = fc.constantFrom('oak', 'oak chair', 'chair', '', 'chair,oak', 'Stuhl')
  const change = fc.record({ title: word, description: word, tags: fc.uniqueArray(word.filter((tag) => tag !== '')) })
  let alone = 0
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 5 }), (changes) => {
      for (const fields of changes)
        expect(wordsOf(chair(fields, 'p2'))).toEqual(wordsOf(chair(fields, `alone-${++alone}`)))
    }),
  )
})

test('of products with long texts only as many are kept as memory is meant for them', () => {
  const long = (n: number) => Array.from({ length: 8_000 }, (_, word) => `word${n}x${word}`).join(' ')
  const first = chair({ description: long(0) }, 'long-0')
  const words = wordsOf(first)
  expect(wordsOf(first)).toBe(words)
  for (let n = 1; n <= 40; n++) wordsOf(chair({ description: long(n) }, `long-${n}`))
  expect(wordsOf(first)).not.toBe(words)
  expect(wordsOf(first)).toEqual(words)
})
