import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { exponentOf, inWords } from '../../engine/currency.ts'
import { type PricedProduct, percentOf, pricesOf } from './price.ts'
import { type Effect, effect, inScope, promotionInput, type Rule, ruleInput, scope } from './rule.ts'

const now = new Date('2026-01-01T00:00:00Z')
const eur = (amount: number) => ({ amount, currency: 'EUR' })
const product = (fields: Partial<PricedProduct> = {}): PricedProduct => ({
  productId: 'p1',
  version: 1,
  status: 'active',
  vendorId: 'acme',
  category: 'lamp',
  tags: ['sale', 'oak'],
  variants: [{ sku: 'A', list: eur(1_999), compareAt: eur(2_499) }],
  ...fields,
})
const rule = (id: string, effect: Effect, more: Partial<Rule> = {}): Rule => ({
  id,
  name: id,
  priority: 0,
  scope: { all: true },
  effect,
  ...more,
})
const promotion = (
  id: string,
  effect: Effect,
  startsAt = '2025-12-31T00:00:00.000Z',
  endsAt = '2026-01-02T00:00:00.000Z',
) => ({
  ...rule(id, effect),
  startsAt,
  endsAt,
  begun: true,
})
const priced = (rules: Rule[], promotions: ReturnType<typeof promotion>[] = [], of = product()) =>
  pricesOf(of, { rules, promotions }, now)

describe('effects', () => {
  test.each<[string, Effect, number]>([
    ['a percentage rounds half up', { percentOff: 12.5 }, 1_749],
    ['everything off is free', { percentOff: 100 }, 0],
    ['an amount', { amountOff: eur(500) }, 1_499],
    ['an amount larger than the price is free, not negative', { amountOff: eur(5_000) }, 0],
    ['a fixed price', { fixedPrice: eur(999) }, 999],
    ['the nearest step, half up', { roundTo: { step: 100, less: 0 } }, 2_000],
    ['less than the nearest step', { roundTo: { step: 100, less: 5 } }, 1_995],
  ])('%s', (_name, effect, effective) => {
    const { prices } = priced([rule('r', effect)])
    expect(prices.A).toMatchObject({ list: 1_999, compareAt: 2_499, effective, currency: 'EUR' })
    expect(prices.A?.applied).toMatchObject([{ id: 'r', kind: 'rule', amountOff: 1_999 - effective }])
  })

  test('a percentage of any price is within half a minor unit of the exact one, and exact beyond 2^53 / 100', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: 1, max: 10_000 }), (amount, hundredths) => {
        const off = BigInt(percentOf(amount, hundredths / 100))
        const twice = 2n * (off * 10_000n - BigInt(amount) * BigInt(hundredths))
        return twice > -10_000n && twice <= 10_000n && off >= 0n && off <= BigInt(amount)
      }),
    )
  })

  test('no combination of rules makes a price negative, or something that is no whole number', () => {
    const amount = fc.nat(10_000).map(eur)
    const effects: fc.Arbitrary<Effect> = fc.oneof(
      fc.integer({ min: 1, max: 10_000 }).map((hundredths) => ({ percentOff: hundredths / 100 })),
      amount.map((amountOff) => ({ amountOff })),
      amount.map((fixedPrice) => ({ fixedPrice })),
      fc.integer({ min: 1, max: 500 }).map((step) => ({ roundTo: { step, less: step - 1 } })),
    )
    fc.assert(
      fc.property(fc.array(effects, { maxLength: 6 }), fc.maxSafeNat(), (effects, list) => {
        const of = product({ variants: [{ sku: 'A', list: eur(list) }] })
        const { prices } = priced(
          effects.map((effect, n) => rule(`r${n}`, effect)),
          [],
          of,
        )
        const { effective = -1, applied = [] } = prices.A ?? {}
        const off = applied.reduce((sum, one) => sum + one.amountOff, 0)
        return Number.isSafeInteger(effective) && effective >= 0 && list - off === effective
      }),
    )
  })
})

describe('order', () => {
  test('rules work one on what the other left, and say why', () => {
    const rules = [
      rule('vip', { percentOff: 10 }, { scope: { vendors: ['acme'], tags: ['oak'] } }),
      rule('less', { amountOff: eur(100) }),
    ]
    expect(priced(rules).prices.A).toMatchObject({
      effective: 1_699,
      applied: [
        { id: 'vip', amountOff: 200, reason: 'vip: 10 % off, for tag oak, vendor acme' },
        { id: 'less', amountOff: 100, reason: 'less: 1.00 EUR off, for all products' },
      ],
    })
  })

  test('of promotions at the same time the best one counts, alone', () => {
    const promotions = [
      promotion('a', { percentOff: 10 }),
      promotion('b', { percentOff: 30 }),
      promotion('c', { fixedPrice: eur(5_000) }),
    ]
    expect(priced([], promotions).prices.A).toMatchObject({
      effective: 1_399,
      applied: [{ id: 'b', kind: 'promotion' }],
    })
  })

  test('a promotion counts from its start on and no longer at its end', () => {
    const at = now.toISOString()
    expect(priced([], [promotion('a', { percentOff: 50 }, at, '2026-01-02T00:00:00.000Z')]).prices.A?.effective).toBe(
      999,
    )
    expect(priced([], [promotion('a', { percentOff: 50 }, '2025-01-01T00:00:00.000Z', at)]).prices.A?.effective).toBe(
      1_999,
    )
  })

  test('a rule stops at its least price, and leaves alone what is below it', () => {
    const half = (minPrice: number) => priced([rule('r', { percentOff: 50 }, { minPrice: eur(minPrice) })]).prices.A
    expect(half(1_500)).toMatchObject({ effective: 1_500, applied: [{ amountOff: 499 }] })
    expect(half(3_000)).toMatchObject({ effective: 1_999, applied: [] })
  })
})

describe('problems', () => {
  test('an amount in another currency is passed over and told, the other rules count', () => {
    const { prices, problems } = priced([
      rule('usd', { amountOff: { amount: 1, currency: 'USD' } }),
      rule('r', { percentOff: 10 }),
    ])
    expect(prices.A?.effective).toBe(1_799)
    expect(problems).toEqual([{ kind: 'rule', id: 'usd', sku: 'A', reason: 'rule usd: is in USD, the price in EUR' }])
  })

  test('a price in no currency in use is no price', () => {
    const of = product({ variants: [{ sku: 'A', list: { amount: 1, currency: 'XYZ' } }] })
    expect(priced([], [], of)).toEqual({
      prices: {},
      problems: [{ kind: 'price', id: 'A', sku: 'A', reason: 'unknown currency XYZ' }],
    })
  })

  test('SKUs may be called what objects have', () => {
    const variants = ['__proto__', 'constructor'].map((sku) => ({ sku, list: eur(1) }))
    expect(Object.keys(priced([], [], product({ variants })).prices)).toEqual(['__proto__', 'constructor'])
  })
})

describe('what may be said', () => {
  test.each<[string, object]>([
    ['nothing off', { percentOff: 0 }],
    ['a discount below zero', { percentOff: -1 }],
    ['more than all', { percentOff: 101 }],
    ['not a number', { percentOff: Number.NaN }],
    ['a third decimal place', { percentOff: 1.005 }],
    ['an unknown currency', { fixedPrice: { amount: 1, currency: 'XYZ' } }],
    ['half a cent', { fixedPrice: { amount: 0.5, currency: 'EUR' } }],
    ['an amount beyond 2^53', { amountOff: { amount: 2 ** 53, currency: 'EUR' } }],
    ['two at once', { percentOff: 1, fixedPrice: eur(1) }],
    ['a step of nothing', { roundTo: { step: 0 } }],
  ])('%s is no effect', (_name, given) => {
    expect(effect.safeParse(given).success).toBe(false)
  })

  test.each<[string, object]>([
    ['nothing', {}],
    ['all and some', { all: true, tags: ['a'] }],
    ['an empty list', { products: [] }],
    ['another scope', { scope: { all: true } }],
  ])('%s is no scope', (_name, given) => {
    expect(scope.safeParse(given).success).toBe(false)
  })

  test('a promotion ends after it starts', () => {
    const given = { name: 'n', scope: { all: true }, effect: { percentOff: 1 }, startsAt: '2026-01-01T00:00:00Z' }
    expect(promotionInput.safeParse({ ...given, endsAt: '2026-01-01T00:00:00Z' }).success).toBe(false)
    expect(promotionInput.safeParse({ ...given, endsAt: '2026-01-01T00:00:01Z' }).success).toBe(true)
    expect(ruleInput.safeParse({ name: ' ', scope: { all: true }, effect: { percentOff: 1 } }).success).toBe(false)
  })
})

test('every dimension of a scope must match, by any entry', () => {
  expect(inScope({ categories: ['rug', 'lamp'], vendors: ['acme'] }, product())).toBe('category lamp, vendor acme')
  expect(inScope({ categories: ['lamp'], vendors: ['other'] }, product())).toBeUndefined()
  expect(inScope({ categories: ['lamp'] }, product({ category: null }))).toBeUndefined()
  expect(inScope({ products: ['p2'] }, product())).toBeUndefined()
})

test('currencies have their own exponent', () => {
  expect([exponentOf('EUR'), exponentOf('JPY'), exponentOf('KWD'), exponentOf('XYZ')]).toEqual([2, 0, 3, undefined])
  expect([inWords(5, 'EUR'), inWords(1_999, 'JPY'), inWords(1_234, 'KWD')]).toEqual([
    '0.05 EUR',
    '1999 JPY',
    '1.234 KWD',
  ])
})
