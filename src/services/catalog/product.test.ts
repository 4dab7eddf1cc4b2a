import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FieldChange } from '../../engine/event.ts'
import type { Product, Variant } from './events.ts'
import { changesBetween, normalFields, normalProduct, productInput, productPatch } from './product.ts'

const price = { amount: 1999, currency: 'EUR' }
const least = { title: 'Kit', variants: [{ sku: 'KIT-1', price }] }
const problems = (input: unknown, schema: typeof productInput | typeof productPatch = productInput) => [
  ...new Set(schema.safeParse(input).error?.issues.map(({ path }) => path.join('.'))),
]

describe('what may come in', () => {
  test('the least there is to say of a product is a title and a variant', () => {
    expect(problems(least)).toEqual([])
    expect(problems({ title: 'Kit', variants: [] })).toEqual(['variants'])
    expect(problems({ variants: least.variants })).toEqual(['title'])
  })

  test.each<[string, object, string]>([
    ['an unknown field', { colour: 'red' }, ''],
    ['a blank title', { title: ' ' }, 'title'],
    ['a title of 501', { title: 'x'.repeat(501) }, 'title'],
    ['a NUL', { description: 'a\0b' }, 'description'],
    ['a lone surrogate', { tags: ['\ud800'] }, 'tags.0'],
    ['an id that is a path', { id: '../etc' }, 'id'],
    ['a script for a picture', { media: [{ url: 'javascript:alert(1)' }] }, 'media.0.url'],
    ['a picture on an unnamed protocol', { media: [{ url: '//evil.example/x.png' }] }, 'media.0.url'],
    [
      'a price below zero',
      { variants: [{ sku: 'A', price: { amount: -1, currency: 'EUR' } }] },
      'variants.0.price.amount',
    ],
    ['half a cent', { variants: [{ sku: 'A', price: { amount: 1.5, currency: 'EUR' } }] }, 'variants.0.price.amount'],
    [
      'a price beyond range',
      { variants: [{ sku: 'A', price: { amount: 1e20, currency: 'EUR' } }] },
      'variants.0.price.amount',
    ],
    [
      'a currency that does not exist',
      { variants: [{ sku: 'A', price: { amount: 1, currency: 'XQZ' } }] },
      'variants.0.price.currency',
    ],
    [
      'a currency that is history',
      { variants: [{ sku: 'A', price, compareAtPrice: { amount: 1, currency: 'HRK' } }] },
      'variants.0.compareAtPrice.currency',
    ],
    ['a SKU given twice', { variants: [...least.variants, ...least.variants] }, 'variants.1.sku'],
    ['a status of its own', { status: 'sold' }, 'status'],
    ['an attribute that is an object', { attributes: { size: {} } }, 'attributes.size'],
    [
      'eleven options',
      { variants: [{ sku: 'A', price, options: Object.fromEntries([...'abcdefghijk'].map((o) => [o, o])) }] },
      'variants.0.options',
    ],
  ])('%s is refused by the name of its field', (_, fields, field) => {
    expect(problems({ ...least, ...fields })).toEqual([field])
  })

  test('a field named __proto__ is nothing to keep', () => {
    const { attributes } = productInput.parse({ ...least, attributes: JSON.parse('{"__proto__": {"x": 1}, "a": 1}') })
    expect(Object.entries(attributes ?? {})).toEqual([['a', 1]])
  })

  test('a patch names something', () => {
    expect(problems({}, productPatch)).toEqual([''])
    expect(problems({ vendorId: null }, productPatch)).toEqual([])
  })
})

describe('the form it is kept in', () => {
  test('blanks around are dropped, tags stand once, what is left out has its plain value', () => {
    const input = productInput.parse({ ...least, title: ' Kit ', tags: ['a', ' a', 'b'], vendorId: 'acme ' })
    expect(normalProduct({ ...input, id: 'kit' })).toEqual({
      id: 'kit',
      title: 'Kit',
      description: '',
      vendorId: 'acme',
      category: null,
      tags: ['a', 'b'],
      attributes: {},
      status: 'active',
      media: [],
      variants: [{ sku: 'KIT-1', options: {}, price }],
    })
  })

  test('is the same after a round trip through JSON and after being brought into form again', () => {
    fc.assert(
      fc.property(products, (product) => {
        const { createdAt, updatedAt, ...input } = product
        const normal = normalProduct(productInput.parse(input) as Parameters<typeof normalProduct>[0])
        expect(JSON.parse(JSON.stringify(normal))).toStrictEqual(normal)
        expect(normalProduct(normal)).toStrictEqual(normal)
      }),
    )
  })

  test('fields left out of a patch stay out', () => {
    expect(normalFields({ title: 'Kit' })).toStrictEqual({ title: 'Kit' })
  })
})

describe('changes', () => {
  test('applied to the old product give the new one', () => {
    fc.assert(
      fc.property(products, products, (before, after) => {
        const { id, createdAt, updatedAt, ...expected } = after
        expect(applied(before, changesBetween(before, after))).toMatchObject(expected)
        expect(changesBetween(applied(before, changesBetween(before, after)), after)).toEqual([])
      }),
    )
  })

  test('of a product with itself are none', () => {
    fc.assert(
      fc.property(products, (product) => {
        expect(changesBetween(product, structuredClone(product))).toEqual([])
      }),
    )
  })

  test('of a single price name just that', () => {
    const before = sample
    const [first, ...others] = before.variants as [Variant, ...Variant[]]
    const cheaper = { ...first, price: { ...first.price, amount: 1 } }
    expect(changesBetween(before, { ...before, variants: [cheaper, ...others] })).toEqual([
      { field: `variants.${first.sku}.price`, oldValue: first.price, newValue: cheaper.price },
    ])
  })

  test('another order of variants is a change of `variants`', () => {
    const [a, b] = [
      { sku: 'A', options: {}, price },
      { sku: 'B', options: {}, price },
    ]
    expect(changesBetween({ ...sample, variants: [a, b] }, { ...sample, variants: [b, a] })).toEqual([
      { field: 'variants', oldValue: ['A', 'B'], newValue: ['B', 'A'] },
    ])
  })
})

const word = fc.stringMatching(/^[A-Za-z0-9]{1,6}$/)
const money = fc.record({ amount: fc.nat(), currency: fc.constantFrom('EUR', 'JPY') }, { noNullPrototype: true })
const variants = fc.uniqueArray(
  fc.record(
    {
      sku: fc.constantFrom('A', 'B', 'C', 'D'),
      title: word,
      barcode: word,
      options: fc.dictionary(word, word, { maxKeys: 2, noNullPrototype: true }),
      price: money,
      compareAtPrice: money,
    },
    { requiredKeys: ['sku', 'options', 'price'], noNullPrototype: true },
  ),
  { selector: ({ sku }) => sku, minLength: 1, maxLength: 4 },
)
const products: fc.Arbitrary<Product> = fc.record({
  id: fc.constant('kit'),
  title: word,
  description: fc.constantFrom('', 'long'),
  vendorId: fc.option(word),
  category: fc.option(word),
  tags: fc.uniqueArray(word, { maxLength: 2 }),
  attributes: fc.dictionary(
    fc.constantFrom('color', 'size', 'a.b'),
    fc.oneof(word, fc.integer(), fc.constant(-0), fc.boolean()),
    { noNullPrototype: true },
  ),
  status: fc.constantFrom('active', 'draft', 'archived'),
  isAvailable: fc.boolean(),
  media: fc.array(
    fc.record(
      { url: fc.constantFrom('/a.png', 'https://example.org/b.png'), alt: word },
      { requiredKeys: ['url'], noNullPrototype: true },
    ),
    { maxLength: 2 },
  ),
  variants,
  createdAt: fc.constant('2026-01-01T00:00:00.000Z'),
  updatedAt: fc.constant('2026-01-01T00:00:00.000Z'),
})
const sample: Product = { ...normalProduct({ ...least, id: 'kit' }), isAvailable: true, createdAt: '', updatedAt: '' }

/** What a follower would do that has only the changes. */
function applied(before: Product, changes: FieldChange[]): Product {
  const product = structuredClone(before) as Product & Record<string, unknown>
  const set = (target: Record<string, unknown>, name: string, value: unknown) => {
    if (value === null) delete target[name]
    else target[name] = value
  }
  for (const { field, newValue } of changes) {
    const [top, ...rest] = field.split('.')
    const name = rest.join('.')
    if (top === 'attributes') set(product.attributes, name, newValue)
    else if (field === 'variants') {
      const order = newValue as string[]
      product.variants.sort((left, right) => order.indexOf(left.sku) - order.indexOf(right.sku))
    } else if (top === 'variants' && rest.length === 1) {
      product.variants = product.variants.filter(({ sku }) => sku !== name)
      if (newValue) product.variants.push(newValue as Variant)
    } else if (top === 'variants') {
      const variant = product.variants.find(({ sku }) => sku === rest[0]) as unknown as Record<string, unknown>
      set(variant, rest[1] ?? '', newValue)
    } else (product as Record<string, unknown>)[field] = newValue
  }
  return product
}
