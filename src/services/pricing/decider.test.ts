import { describe, expect, test } from 'vitest'
import { specification } from '../../engine/decider-testing.ts'
import { type PricingFact, type PricingState, pricingDecider, RULEBOOK } from './decider.ts'
import type { PricedProduct } from './price.ts'
import type { Rulebook } from './rule.ts'

const { given } = specification(pricingDecider)
const eur = (amount: number) => ({ amount, currency: 'EUR' })
const book = (fields: Partial<Rulebook> = {}): PricingFact => ({
  type: 'book.changed',
  entity: RULEBOOK,
  book: { rules: [], promotions: [], ...fields },
})
const product = (fields: Partial<PricedProduct> = {}): PricedProduct => ({
  productId: 'p1',
  version: 1,
  status: 'active',
  vendorId: null,
  category: 'lamp',
  tags: [],
  variants: [{ sku: 'A', list: eur(1_000) }],
  ...fields,
})
const follow = (fields: Partial<PricedProduct> = {}) => ({ type: 'follow', product: product(fields) }) as const
const tenOff = { id: 'ten', name: 'Ten', priority: 0, scope: { categories: ['lamp'] }, effect: { percentOff: 10 } }
const week = {
  id: 'week',
  name: 'Week',
  scope: { all: true as const },
  effect: { percentOff: 50 },
  startsAt: '2026-01-01T00:00:10.000Z',
  endsAt: '2026-01-01T00:00:20.000Z',
}
const at = (second: number) => new Date(Date.parse('2026-01-01T00:00:00Z') + second * 1_000)
const effective = (states: ReadonlyMap<string, { state: PricingState | undefined }>) =>
  (states.get('price/p1')?.state as { prices: Record<string, { effective: number }> } | undefined)?.prices.A?.effective

describe('following the catalog', () => {
  test('a new product gets its prices by the rules, once', () => {
    const first = given(book({ rules: [tenOff] })).when(follow())
    expect(first.events).toMatchObject([
      {
        type: 'price.updated',
        entity: 'price/p1',
        key: 'p1',
        version: 1,
        data: { productId: 'p1', prices: { A: { list: 1_000, effective: 900 } }, problems: [], changes: [] },
      },
    ])
    expect(first.when(follow()).answers({ problems: [] }).events).toEqual([])
  })

  test('what only scopes look at is noted without an event, and changes the price when a scope says so', () => {
    const lamp = given(book({ rules: [tenOff] })).when(follow())
    expect(lamp.when(follow({ version: 2, tags: ['new'] })).facts.map(({ type }) => type)).toEqual(['product.noted'])
    const rug = lamp.when(follow({ version: 2, category: 'rug' }))
    expect(rug.events).toMatchObject([
      {
        version: 2,
        data: {
          changes: [{ field: 'prices.A.effective', oldValue: 900, newValue: 1_000 }, { field: 'prices.A.applied' }],
        },
      },
    ])
  })

  test('an older version of a product changes nothing', () => {
    const newer = given(book()).when(follow({ version: 3 }))
    newer.when(follow({ version: 2, variants: [{ sku: 'A', list: eur(1) }] })).then()
  })

  test('a deleted product has no prices, one that comes back has', () => {
    const deleted = given(book())
      .when(follow())
      .when(follow({ version: 2, status: 'deleted' }))
    expect(deleted.events).toMatchObject([{ data: { prices: {}, changes: [{ field: 'prices.A', newValue: null }] } }])
    expect(effective(deleted.when(follow({ version: 3 })).states)).toBe(1_000)
  })
})

describe('promotions', () => {
  const planned = given(book()).when(follow()).when({ type: 'create-promotion', promotion: week })

  test('before its start a promotion changes no price, from then on it does, with its own event', () => {
    planned.when({ type: 'reprice', productId: 'p1' }, at(9)).then()
    const begun = planned.when({ type: 'begin-promotion', id: 'week' }, at(10))
    const cause = (begun.facts[0] as Extract<PricingFact, { type: 'book.changed' }>).reprice?.cause
    const applied = begun.when({ type: 'reprice', productId: 'p1', cause }, at(10))
    expect(applied.events).toMatchObject([
      {
        type: 'price.promotion.applied',
        data: { promotion: { id: 'week', name: 'Week' }, prices: { A: { effective: 500 } } },
      },
    ])
    begun.when({ type: 'begin-promotion', id: 'week' }, at(10)).then()
  })

  test('ended by hand while it is being applied, it is taken off what has it and not put on anything more', () => {
    const begun = planned.when({ type: 'begin-promotion', id: 'week' }, at(10))
    const onlyBegun = begun.when({ type: 'end-promotion', id: 'week' }, at(11))
    onlyBegun.when({ type: 'reprice', productId: 'p1' }, at(11)).then()
    const ended = begun
      .when({ type: 'reprice', productId: 'p1' }, at(10))
      .when({ type: 'end-promotion', id: 'week' }, at(11))
    expect(ended.facts).toMatchObject([{ reprice: { subject: 'promotion/week' } }, { status: 'ended' }])
    const cause = (ended.facts[0] as Extract<PricingFact, { type: 'book.changed' }>).reprice?.cause
    expect(ended.when({ type: 'reprice', productId: 'p1', cause }, at(11)).events).toMatchObject([
      { type: 'price.promotion.ended', data: { prices: { A: { effective: 1_000 } } } },
    ])
    ended.when({ type: 'end-promotion', id: 'week' }, at(12)).then()
  })

  test('ended before it starts, no product needs a look', () => {
    const [fact] = planned.when({ type: 'end-promotion', id: 'week' }, at(5)).facts
    expect(fact).not.toHaveProperty('reprice')
  })

  test('one that would be over already is refused, and so is another of the same id', () => {
    given(book()).when({ type: 'create-promotion', promotion: week }, at(20)).rejected('promotion-over')
    const longer = { ...week, endsAt: '2026-01-01T00:00:30.000Z' }
    planned.when({ type: 'create-promotion', promotion: longer }).rejected('already-exists', { id: 'week' })
  })

  test('planned again as it stands it is the same one, and once it has ended it does not come back, as it was or otherwise', () => {
    const again = { type: 'create-promotion', promotion: week } as const
    planned.when(again).answers({ id: 'week', created: false }).then()
    const begun = planned.when({ type: 'begin-promotion', id: 'week' }, at(10))
    begun.when(again, at(11)).answers({ id: 'week', created: false }).then()
    const ended = begun.when({ type: 'end-promotion', id: 'week' }, at(12))
    ended.when(again, at(13)).rejected('already-exists', { what: 'promotion', id: 'week' })
    ended.when({ ...again, promotion: { ...week, name: 'Later' } }, at(13)).rejected('already-exists')
  })
})

describe('rules', () => {
  test('stand in the order of their priority, and name what is to be priced anew', () => {
    const two = given(book())
      .when({ type: 'create-rule', rule: tenOff })
      .when({ type: 'create-rule', rule: { ...tenOff, id: 'first', priority: -1 } })
    expect(two.facts).toMatchObject([
      { book: { rules: [{ id: 'first' }, { id: 'ten' }] }, reprice: { subject: 'rule/first' } },
    ])
    const moved = two.when({ type: 'change-rule', id: 'ten', patch: { scope: { tags: ['sale'] } } })
    expect(moved.facts).toMatchObject([{ reprice: { scopes: [{ categories: ['lamp'] }, { tags: ['sale'] }] } }])
    moved.when({ type: 'change-rule', id: 'ten', patch: { scope: { tags: ['sale'] } } }).then()
    const floor = moved.when({ type: 'change-rule', id: 'ten', patch: { minPrice: eur(1) } })
    expect(floor.facts).toMatchObject([{ book: { rules: [{}, { minPrice: eur(1) }] } }])
    const without = floor.when({ type: 'change-rule', id: 'ten', patch: { minPrice: null } })
    expect(without.facts).toMatchObject([{ book: { rules: [{ id: 'first' }, { id: 'ten' }] } }])
    expect(JSON.stringify(without.facts)).not.toContain('minPrice')
  })

  test('that are not there can not be changed, one that is can not be made', () => {
    given(book()).when({ type: 'remove-rule', id: 'ten' }).rejected('not-found', { what: 'rule', id: 'ten' })
    given(book())
      .when({ type: 'change-rule', id: 'ten', patch: { priority: 1 } })
      .rejected('not-found')
    given(book({ rules: [tenOff] }))
      .when({ type: 'create-rule', rule: tenOff })
      .rejected('already-exists')
  })

  test('kept before changes were counted are at version 0, and counted from their next change on', () => {
    const old = given(book({ rules: [tenOff] }))
    old.when({ type: 'remove-rule', id: 'ten', expected: 1 }).rejected('version-mismatch', { expected: 1, actual: 0 })
    const changed = old.when({ type: 'change-rule', id: 'ten', patch: { priority: 1 }, expected: 0 })
    expect(changed.facts).toMatchObject([{ book: { changes: 1, rules: [{ id: 'ten', version: 1 }] } }])
    changed.when({ type: 'change-rule', id: 'ten', patch: { priority: 1 }, expected: 1 }).then()
  })

  test('are used by whatever is priced in the same batch', () => {
    const removed = given(book({ rules: [tenOff] }))
      .when(follow())
      .when({ type: 'remove-rule', id: 'ten' })
    expect(effective(removed.when({ type: 'reprice', productId: 'p1' }).states)).toBe(1_000)
  })
})
