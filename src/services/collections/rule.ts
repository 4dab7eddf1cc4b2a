/** Rules of collections: conditions, joined by all, any and not, nested. What may be written, what it means, and why a product is in or out. Pure. */
import { z } from 'zod'
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

export type Group = { match: 'all' | 'any'; conditions: Rule[] }
export type Rule = Condition | Group | { not: Rule }

/** Levels of groups in groups, and conditions in all. */
const deepest = 6
const most = 200

/** A rule as it may come in; whatever is wrong is named by its place: `conditions.1.conditions.0.value`. */
export const rule = z
  .looseObject({}, 'must be a condition, { match, conditions } or { not }')
  .meta({
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
  })
  .superRefine((given, context) => {
    let conditions = 0
    const check = (node: unknown, path: (string | number)[], depth: number): void => {
      const issue = (message: string, ...at: (string | number)[]) =>
        context.addIssue({ code: 'custom', path: [...path, ...at], message })
      const take = (schema: z.ZodType) => {
        for (const { path: at, message } of schema.safeParse(node).error?.issues ?? [])
          issue(message, ...(at as string[]))
      }
      if (depth > deepest) issue(`must not nest deeper than ${deepest} levels`)
      else if (typeof node !== 'object' || node === null) issue('must be a condition, { match, conditions } or { not }')
      else if ('not' in node) {
        take(negation)
        check(node.not, [...path, 'not'], depth + 1)
      } else if ('conditions' in node || 'match' in node) {
        take(group)
        if ('conditions' in node && Array.isArray(node.conditions))
          for (const [n, one] of node.conditions.slice(0, most).entries())
            check(one, [...path, 'conditions', n], depth + 1)
      } else {
        conditions += 1
        if (conditions === most + 1) issue(`is one condition too many: a rule has at most ${most}`)
        else if (conditions <= most) take(condition)
      }
    }
    check(given, [], 1)
  })
  .transform((given) => given as Rule)
const negation = z.strictObject({ not: z.unknown() })
const group = z.strictObject({
  match: z.enum(['all', 'any'], 'must be all or any'),
  conditions: z
    .array(z.unknown(), 'must be a list of conditions')
    .min(1, 'must have a condition')
    .max(50, 'must have at most 50 conditions'),
})

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
