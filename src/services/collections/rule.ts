/** Rules of collections: what may be written, what it means, and why a product is in or out. Pure. */
import { type Rule as RuleOf, ruleOf } from '../../engine/rule.ts'
import {
  type Bind,
  type Condition,
  condition,
  conditionSql,
  type Facts,
  predicate,
  type Scalar,
  valuesOf,
} from './condition.ts'

export type Rule = RuleOf<Condition>

/** A rule as it may come in. */
export const rule = ruleOf<Condition>(
  condition,
  { most: 200 },
  {
    description:
      'A condition `{ field, operator, value }` (an attribute has a `name`, a price may have a `currency`), or `{ match: "all" | "any", conditions: […] }`, ' +
      'or `{ not: … }`, nested. Fields: category, vendor, title, tag, attribute, price (effective, minor units), available, created (ISO 8601).',
    examples: [
      {
        match: 'all',
        conditions: [
          { field: 'tag', operator: 'in', value: ['summer', 'linen'] },
          { field: 'price', currency: 'EUR', operator: 'between', value: [1000, 5000] },
          { not: { field: 'attribute', name: 'colour', operator: 'equals', value: 'black' } },
        ],
      },
    ],
  },
)

/** A rule as a claim about one product. */
export function compiled(given: Rule): (facts: Facts) => boolean {
  if ('not' in given) {
    const inner = compiled(given.not)
    return (facts) => !inner(facts)
  }
  if (!('conditions' in given)) return predicate(given)
  const parts = given.conditions.map(compiled)
  return given.match === 'all'
    ? (facts) => parts.every((holds) => holds(facts))
    : (facts) => parts.some((holds) => holds(facts))
}

/** What a rule asks about: fields' names, some of them more than once. */
export function fieldsOf(given: Rule): Condition['field'][] {
  if ('not' in given) return fieldsOf(given.not)
  return 'conditions' in given ? given.conditions.flatMap(fieldsOf) : [given.field]
}

/** A rule as a condition in SQL on rows `p` of collections.askable; never null. */
export function ruleSql(given: Rule, bind: Bind): string {
  if ('not' in given) return `not (${ruleSql(given.not, bind)})`
  if (!('conditions' in given)) return conditionSql(given, bind)
  return given.conditions.map((one) => `(${ruleSql(one, bind)})`).join(given.match === 'all' ? ' and ' : ' or ')
}

/** Each part of a rule with its place and whether it holds; a condition with what the product has, as it is compared: in lower case. */
export interface Reason {
  path: string
  holds: boolean
  condition?: Condition
  has?: Scalar[]
  match?: 'all' | 'any' | 'not'
  of?: Reason[]
}

export function reason(facts: Facts, given: Rule, path = 'rule'): Reason {
  if ('not' in given) {
    const inner = reason(facts, given.not, `${path}.not`)
    return { path, holds: !inner.holds, match: 'not', of: [inner] }
  }
  if (!('conditions' in given))
    return { path, holds: predicate(given)(facts), condition: given, has: valuesOf(facts, given) }
  const { match, conditions } = given
  const of = conditions.map((one, n) => reason(facts, one, `${path}.conditions.${n}`))
  return { path, holds: match === 'all' ? of.every((one) => one.holds) : of.some((one) => one.holds), match, of }
}
