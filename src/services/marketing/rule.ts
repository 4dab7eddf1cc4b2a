/** Rules of marketing lists: what may be written, whether a customer satisfies one, why, and when time alone will change that. Pure. */
import { z } from 'zod'
import { type Rule as RuleOf, ruleOf } from '../../engine/rule.ts'
import { plainText } from '../../engine/text.ts'

/** What is known of a customer. */
export interface Facts {
  /** By purpose. */
  consents: Record<string, boolean>
  /** By topic. */
  channels: Record<string, string[]>
  /** As a language tag: de-CH. Language and country are those of the tag, since addresses are sealed. */
  locale: string | null
  orders: number
  /** Milliseconds since 1970. */
  lastOrder: number | null
  created: number
  /** Minor units by currency. */
  spent: Record<string, number>
}

const day = 86_400_000

const numeric = ['equals', 'not_equals', 'gt', 'gte', 'lt', 'lte', 'between'] as const
const worded = ['equals', 'not_equals', 'in', 'not_in'] as const
const listed = ['includes', 'excludes'] as const
const timed = ['within_days', 'not_within_days'] as const
type Operator = (typeof numeric)[number] | (typeof worded)[number] | (typeof listed)[number] | (typeof timed)[number]

type Actual = string | number | boolean | string[] | null
interface Kind {
  operators: readonly Operator[]
  values: 'text' | 'number' | 'boolean' | 'days'
  /** What `name` stands for; absent: it has none. */
  named?: string
  of(facts: Facts, name: string): Actual
}

const own = <Value>(record: Record<string, Value>, name: string): Value | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined
const partOf = (locale: string | null, part: 'language' | 'region') =>
  locale === null ? null : (new Intl.Locale(locale)[part] ?? null)

const fields = {
  consent: {
    operators: ['equals'],
    values: 'boolean',
    named: 'purpose',
    of: ({ consents }, name) => own(consents, name) ?? false,
  },
  channel: { operators: listed, values: 'text', named: 'topic', of: ({ channels }, name) => own(channels, name) ?? [] },
  locale: { operators: worded, values: 'text', of: ({ locale }) => locale },
  language: { operators: worded, values: 'text', of: ({ locale }) => partOf(locale, 'language') },
  country: { operators: worded, values: 'text', of: ({ locale }) => partOf(locale, 'region') },
  orders: { operators: numeric, values: 'number', of: ({ orders }) => orders },
  spent: { operators: numeric, values: 'number', named: 'currency', of: ({ spent }, name) => own(spent, name) ?? 0 },
  last_order: { operators: timed, values: 'days', of: ({ lastOrder }) => lastOrder },
  customer_since: { operators: timed, values: 'days', of: ({ created }) => created },
} as const satisfies Record<string, Kind>
type Field = keyof typeof fields

export interface Condition {
  field: Field
  /** The consent's purpose, the channel's topic, the currency. */
  name?: string | undefined
  operator: Operator
  /** A list for `in` and `not_in`, lowest and highest for `between`, a number of days for `within_days`; money in minor units. */
  value: string | number | boolean | (string | number)[]
}
export type Rule = RuleOf<Condition>

const names = Object.keys(fields) as [Field, ...Field[]]
const word = plainText(200).min(1, 'must not be empty')
const number = z.number().min(-Number.MAX_SAFE_INTEGER).max(Number.MAX_SAFE_INTEGER)

const condition = z
  .strictObject({
    field: z.enum(names, `must be one of ${names.join(', ')}`),
    name: word.optional(),
    operator: z.string(),
    value: z.union(
      [
        word,
        number,
        z.boolean(),
        z
          .array(z.union([word, number]))
          .min(1)
          .max(200),
      ],
      'must be a value, or a list of 1 to 200 values',
    ),
  })
  .superRefine(({ field, name, operator, value }, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    const { operators, values, named }: Kind = fields[field]
    if (named !== undefined && name === undefined) issue('name', `must name the ${named}`)
    if (named === undefined && name !== undefined) issue('name', `${field} has no name`)
    if (!(operators as readonly string[]).includes(operator))
      return issue('operator', `must be one of ${operators.join(', ')} for ${field}`)
    const list = operator === 'in' || operator === 'not_in' || operator === 'between'
    if (list !== Array.isArray(value))
      return issue('value', list ? `must be a list for ${operator}` : `must be one value for ${operator}`)
    const type = values === 'text' ? 'string' : values === 'boolean' ? 'boolean' : 'number'
    const given = [value].flat()
    if (!given.every((one) => typeof one === type)) return issue('value', `must be ${values} for ${field}`)
    if (values === 'days' && !given.map(Number).every((days) => Number.isInteger(days) && days >= 1 && days <= 36_500))
      issue('value', 'must be a whole number of days from 1 to 36500')
    if (operator === 'between' && !(given.length === 2 && Number(given[0]) <= Number(given[1])))
      issue('value', 'must be the lowest and the highest, in this order')
  })

/** A rule as it may come in. */
export const rule = ruleOf<Condition>(condition as z.ZodType<Condition>, { most: 100 })

/** A rule, with what was found of the customer beside each condition. */
export type Judged = { holds: boolean } & (
  | (Condition & { actual: Actual })
  | { match: 'all' | 'any'; conditions: Judged[] }
  | { not: Judged }
)

export interface Judgement {
  judged: Judged
  /** When, without anything happening, the answer may be another; Infinity for never. */
  turnsAt: number
}

/** `now` in milliseconds since 1970. */
export function judge(asked: Rule, facts: Facts, now: number): Judgement {
  if ('not' in asked) {
    const { judged, turnsAt } = judge(asked.not, facts, now)
    return { judged: { holds: !judged.holds, not: judged }, turnsAt }
  }
  if ('conditions' in asked) {
    const parts = asked.conditions.map((one) => judge(one, facts, now))
    const conditions = parts.map(({ judged }) => judged)
    const holds = asked.match === 'all' ? conditions.every((one) => one.holds) : conditions.some((one) => one.holds)
    const turnsAt = Math.min(...parts.map((part) => part.turnsAt))
    return { judged: { holds, match: asked.match, conditions }, turnsAt }
  }
  const { field, name = '', operator, value } = asked
  const actual = (fields[field] as Kind).of(facts, name)
  if (operator === 'within_days' || operator === 'not_within_days') {
    const ends = typeof actual === 'number' ? actual + Number(value) * day : Number.NEGATIVE_INFINITY
    const within = now < ends
    const at = typeof actual === 'number' ? new Date(actual).toISOString() : null
    return {
      judged: { holds: within === (operator === 'within_days'), ...asked, actual: at },
      turnsAt: within ? ends : Number.POSITIVE_INFINITY,
    }
  }
  return {
    judged: { holds: holdsFor(actual, operator, [value].flat()), ...asked, actual },
    turnsAt: Number.POSITIVE_INFINITY,
  }
}

/** Text is compared without regard to case, as language tags are. */
function holdsFor(actual: Actual, operator: Operator, given: (string | number | boolean)[]): boolean {
  const is = (one: Actual) => given.some((other) => same(one, other))
  const [low = 0, high = 0] = given.map(Number)
  const count = typeof actual === 'number' ? actual : Number.NaN
  switch (operator) {
    case 'equals':
    case 'in':
      return is(actual)
    case 'not_equals':
    case 'not_in':
      return !is(actual)
    case 'includes':
      return Array.isArray(actual) && actual.some(is)
    case 'excludes':
      return Array.isArray(actual) && !actual.some(is)
    case 'gt':
      return count > low
    case 'gte':
      return count >= low
    case 'lt':
      return count < low
    case 'lte':
      return count <= low
    case 'between':
      return count >= low && count <= high
    default:
      return false
  }
}

const same = (one: Actual, other: string | number | boolean) =>
  typeof one === 'string' && typeof other === 'string' ? one.toLowerCase() === other.toLowerCase() : one === other
