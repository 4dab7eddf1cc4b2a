import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { csvLine } from './export.ts'
import { spentOn } from './marketing-projection.ts'
import { standingOf } from './membership.ts'
import { type Facts, judge, type Rule, rule } from './rule.ts'

const day = 86_400_000
const now = 1_000 * day
const ida: Facts = {
  consents: { marketing: true, newsletter: false },
  channels: { marketing: ['email'], price_drop: [] },
  locale: 'de-CH',
  orders: 3,
  lastOrder: now - 10 * day,
  created: now - 400 * day,
  spent: { EUR: 12_000 },
}
const nobody: Facts = { consents: {}, channels: {}, locale: null, orders: 0, lastOrder: null, created: now, spent: {} }
const parsed = (given: object): Rule => rule.parse(given)
const holds = (given: object, facts: Facts) => judge(parsed(given), facts, now).judged.holds

test.each<[string, string, unknown, boolean, boolean]>([
  ['consent.marketing', 'equals', true, true, false],
  ['consent.newsletter', 'equals', true, false, false],
  ['consent.constructor', 'equals', false, true, true],
  ['channel.marketing', 'includes', 'email', true, false],
  ['channel.price_drop', 'includes', 'email', false, false],
  ['channel.toString', 'excludes', 'sms', true, true],
  ['locale', 'equals', 'de-ch', true, false],
  ['language', 'equals', 'de', true, false],
  ['language', 'in', ['fr', 'de'], true, false],
  ['country', 'equals', 'CH', true, false],
  ['country', 'not_in', ['DE', 'AT'], true, true],
  ['country', 'not_equals', 'ch', false, true],
  ['orders', 'gte', 3, true, false],
  ['orders', 'gt', 3, false, false],
  ['orders', 'equals', 0, false, true],
  ['orders', 'between', [1, 3], true, false],
  ['spent.EUR', 'gte', 12_000, true, false],
  ['spent.USD', 'lt', 1, true, true],
  ['last_order', 'within_days', 11, true, false],
  ['last_order', 'within_days', 10, false, false],
  ['last_order', 'not_within_days', 10, true, true],
  ['customer_since', 'within_days', 30, false, true],
])('%s %s %j: %s for Ida, %s for somebody new', (named, operator, value, forIda, forNobody) => {
  const [field, name] = named.split('.')
  const given = { field, ...(name && { name }), operator, value }
  expect([holds(given, ida), holds(given, nobody)]).toEqual([forIda, forNobody])
})

test('all, any and not nest, and each says what was found', () => {
  const swiss = { field: 'country', operator: 'equals', value: 'CH' } as const
  const rich = { field: 'spent', name: 'EUR', operator: 'gt', value: 1_000_000 } as const
  const given: Rule = { match: 'all', conditions: [swiss, { not: { match: 'any', conditions: [rich] } }] }
  expect(judge(parsed(given), ida, now).judged).toEqual({
    holds: true,
    match: 'all',
    conditions: [
      { ...swiss, holds: true, actual: 'CH' },
      { holds: true, not: { holds: false, match: 'any', conditions: [{ ...rich, holds: false, actual: 12_000 }] } },
    ],
  })
})

describe('time', () => {
  const recent: Rule = { field: 'last_order', operator: 'within_days', value: 30 }
  test('turns an answer at the moment that is foretold, and never otherwise', () => {
    expect(judge(recent, ida, now).turnsAt).toBe(now + 20 * day)
    expect(judge({ not: recent }, ida, now + 20 * day - 1)).toMatchObject({
      judged: { holds: false },
      turnsAt: now + 20 * day,
    })
    expect(judge(recent, ida, now + 20 * day)).toMatchObject({
      judged: { holds: false },
      turnsAt: Number.POSITIVE_INFINITY,
    })
    expect(judge(recent, nobody, now).turnsAt).toBe(Number.POSITIVE_INFINITY)
  })
  test('between now and then the answer stays what it is', () => {
    const leaf = fc.record({
      field: fc.constantFrom('last_order' as const, 'customer_since' as const),
      operator: fc.constantFrom('within_days' as const, 'not_within_days' as const),
      value: fc.integer({ min: 1, max: 900 }),
    })
    const { tree } = fc.letrec<{ tree: Rule }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 3 },
        leaf,
        fc.record({ not: tie('tree') }),
        fc.record({
          match: fc.constantFrom('all' as const, 'any' as const),
          conditions: fc.array(tie('tree'), { minLength: 1, maxLength: 3 }),
        }),
      ),
    }))
    fc.assert(
      fc.property(tree, fc.nat(900 * day), fc.double({ min: 0, max: 0.999, noNaN: true }), (given, at, part) => {
        const first = judge(given, ida, at)
        const until = Math.min(first.turnsAt, at + 2_000 * day)
        const later = Math.floor(at + (until - at) * part)
        expect(judge(given, ida, later).judged.holds).toBe(first.judged.holds)
        expect(first.turnsAt).toBeGreaterThan(at)
      }),
    )
  })
})

describe('nobody is on a list', () => {
  const everybody = { id: 'all', purpose: 'marketing', rule: null }
  const standing = (facts: Partial<Facts>, active = true) =>
    standingOf(everybody, { id: 'ida', active, facts: { ...ida, ...facts } }, now)
  test.each<[string, Partial<Facts>, boolean, boolean]>([
    ['who agreed and wants e-mail: is', {}, true, true],
    ['who agreed and never chose channels: is', { channels: {} }, true, true],
    ['who was erased', {}, false, false],
    ['who was never asked', { consents: {} }, true, false],
    ['who took it back', { consents: { marketing: false } }, true, false],
    ['who wants it by push alone', { channels: { marketing: ['push'] } }, true, false],
    ['who wants none of it', { channels: { marketing: [] } }, true, false],
  ])('%s', (_who, facts, active, member) => {
    expect(standing(facts, active).member).toBe(member)
  })
  test('whatever the rule says', () => {
    const asked = {
      ...everybody,
      rule: parsed({ not: { field: 'consent', name: 'marketing', operator: 'equals', value: true } }),
    }
    expect(standingOf(asked, { id: 'x', active: true, facts: nobody }, now)).toMatchObject({
      member: false,
      because: { active: true, consent: false, byEmail: true, rule: { holds: true } },
    })
  })
})

const condition = { field: 'orders', operator: 'gt', value: 1 }
test.each<[object, string]>([
  [{ ...condition, field: 'shoe_size' }, 'field'],
  [{ ...condition, operator: 'like' }, 'operator'],
  [{ ...condition, operator: 'includes' }, 'operator'],
  [{ ...condition, value: '1' }, 'value'],
  [{ ...condition, value: [1] }, 'value'],
  [{ ...condition, name: 'x' }, 'name'],
  [{ field: 'spent', operator: 'gt', value: 1 }, 'name'],
  [{ field: 'consent', name: 'x', operator: 'equals', value: 'yes' }, 'value'],
  [{ field: 'country', operator: 'in', value: [] }, 'value'],
  [{ field: 'country', operator: 'equals', value: 'a\0b' }, 'value'],
  [{ field: 'orders', operator: 'between', value: [3, 1] }, 'value'],
  [{ field: 'last_order', operator: 'within_days', value: 0 }, 'value'],
  [{ field: 'last_order', operator: 'within_days', value: 1.5 }, 'value'],
  [{ match: 'some', conditions: [condition] }, 'match'],
  [{ match: 'all', conditions: [] }, 'conditions'],
  [{ match: 'all', conditions: [condition, { ...condition, value: null }] }, 'conditions.1.value'],
  [{ not: { match: 'any', conditions: [{ ...condition, extra: 1 }] } }, 'not.conditions.0'],
  [JSON.parse('{"__proto__":{"field":"orders"}}'), ''],
])('%j is refused at %s', (given, path) => {
  const paths = rule.safeParse(given).error?.issues.map((issue) => issue.path.join('.'))
  if (path === '') expect(paths).not.toHaveLength(0)
  else expect(paths).toContain(path)
})

test('a rule of any depth is refused or taken, never fatal', () => {
  let given: object = condition
  for (let n = 0; n < 10_000; n++) given = { not: given }
  expect(rule.safeParse(given).success).toBe(false)
})

test('what was given back was not spent', () => {
  const line = { sku: 'A', productId: null, allocations: [] }
  expect(
    spentOn({
      lines: [
        { ...line, quantity: 3, returned: 1, unitPrice: { amount: 500, currency: 'EUR' } },
        { ...line, sku: 'B', quantity: 1, returned: 0, unitPrice: { amount: 700, currency: 'JPY' } },
        { ...line, sku: 'C', quantity: 9, returned: 0, unitPrice: null },
      ],
    }),
  ).toEqual({ EUR: 1_000, JPY: 700 })
})

test.each([
  [['a', 'b,c', 'd"e', 'f\ng'], 'a,"b,c","d""e","f\ng"\r\n'],
  [['=1+1', '+41', '-5', '@x', '\tx'], "'=1+1,'+41,'-5,'@x,'\tx\r\n"],
  [['=a,"b"'], `"'=a,""b"""\r\n`],
])('the cells %j are one line that no spreadsheet takes for a formula', (cells, line) => {
  expect(csvLine(cells)).toBe(line)
})
