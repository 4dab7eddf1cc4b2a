/** Rules as people write them: conditions of some kind, joined by all, any and not, nested. What a condition is, each service says itself. Pure. */
import { z } from 'zod'

export type Group<Condition> = { match: 'all' | 'any'; conditions: Rule<Condition>[] }
export type Rule<Condition> = Condition | Group<Condition> | { not: Rule<Condition> }

export interface RuleLimits {
  /** Conditions in all. */
  most: number
}

/** Levels of groups in groups. */
const deepest = 6
const form = 'must be a condition, { match, conditions } or { not }'

const negation = z.strictObject({ not: z.unknown() })
const group = z.strictObject({
  match: z.enum(['all', 'any'], 'must be all or any'),
  conditions: z
    .array(z.unknown(), 'must be a list of conditions')
    .min(1, 'must have a condition')
    .max(50, 'must have at most 50 conditions'),
})

/**
 * A rule of such conditions as it may come in; whatever is wrong is named by its place: `conditions.1.conditions.0.value`. However deep or long what
 * comes is, no more of it is looked at than may be. `about` is what the API's description says of it.
 */
export function ruleOf<Condition>(
  condition: z.ZodType<Condition>,
  { most }: RuleLimits,
  about: { description?: string; examples?: unknown[] } = {},
) {
  return z
    .looseObject({}, form)
    .meta(about)
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
        else if (typeof node !== 'object' || node === null) issue(form)
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
    .transform((given) => given as unknown as Rule<Condition>)
}
