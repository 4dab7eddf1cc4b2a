/** Rules of collections: what may be written, and whether a product satisfies one. Pure. */
import { z } from 'zod'
import { plainText } from '../../engine/text.ts'

/** What a rule can ask of a product. */
export interface Facts {
  title: string
  category: string | null
  vendor: string | null
  tags: string[]
  attributes: Record<string, string | number | boolean>
  /** Of all variants, minor units. */
  prices: number[]
  available: boolean
}

const operators = ['equals', 'not_equals', 'in', 'contains', 'gt', 'gte', 'lt', 'lte', 'between'] as const
type Operator = (typeof operators)[number]
const fields = ['category', 'tag', 'attribute', 'price', 'available', 'vendor', 'title'] as const
type Field = (typeof fields)[number]

const words: Operator[] = ['equals', 'not_equals', 'in', 'contains']
const numbers: Operator[] = ['equals', 'not_equals', 'in', 'gt', 'gte', 'lt', 'lte', 'between']
const allowed: Record<Field, { operators: Operator[]; values: string[] }> = {
  category: { operators: words, values: ['string'] },
  vendor: { operators: ['equals', 'not_equals', 'in'], values: ['string'] },
  title: { operators: words, values: ['string'] },
  tag: { operators: words, values: ['string'] },
  attribute: { operators: [...new Set([...words, ...numbers])], values: ['string', 'number', 'boolean'] },
  price: { operators: numbers, values: ['number'] },
  available: { operators: ['equals', 'not_equals'], values: ['boolean'] },
}

const scalar = z.union([plainText(500), z.number(), z.boolean()], 'must be text, a number, or true or false')
type Scalar = string | number | boolean

export const condition = z
  .strictObject({
    field: z.enum(fields, `must be one of ${fields.join(', ')}`),
    /** Of the attribute. */
    name: plainText(200).min(1, 'must not be empty').optional(),
    operator: z.enum(operators, `must be one of ${operators.join(', ')}`),
    /** For `in` a list of 1 to 200 values, for `between` the lowest and the highest, both included. Prices are minor units. */
    value: z.union([scalar, z.array(scalar).min(1).max(200)], 'must be a value, or a list of 1 to 200 values'),
  })
  .superRefine((given, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    const { field, name, operator, value } = given
    if (field === 'attribute' && name === undefined) issue('name', 'must name the attribute')
    if (field !== 'attribute' && name !== undefined) issue('name', 'is only for attributes')
    if (!allowed[field].operators.includes(operator))
      return issue('operator', `must be one of ${allowed[field].operators.join(', ')} for ${field}`)
    const list = operator === 'in' || operator === 'between'
    if (list !== Array.isArray(value))
      return issue('value', list ? `must be a list for ${operator}` : `must be one value for ${operator}`)
    const values = [value].flat()
    const types = ['gt', 'gte', 'lt', 'lte', 'between'].includes(operator)
      ? ['number']
      : operator === 'contains'
        ? ['string']
        : allowed[field].values
    if (!values.every((one) => types.includes(typeof one)))
      return issue('value', `must be ${types.join(' or ')} for ${field} ${operator}`)
    if (operator === 'between' && !(values.length === 2 && Number(values[0]) <= Number(values[1])))
      issue('value', 'must be the lowest and the highest, in this order')
  })
export type Condition = z.infer<typeof condition>

export const rule = z.strictObject({
  match: z.enum(['all', 'any'], 'must be all or any'),
  conditions: z.array(condition).min(1, 'must have a condition').max(50, 'must have at most 50 conditions'),
})
/** Groups may nest: the evaluator takes them, the contract not yet. */
export type Rule = { match: 'all' | 'any'; conditions: (Condition | Rule)[] }

export function satisfies(facts: Facts, asked: Rule | Condition): boolean {
  if ('conditions' in asked) {
    const holds = (one: Rule | Condition) => satisfies(facts, one)
    return asked.match === 'all' ? asked.conditions.every(holds) : asked.conditions.some(holds)
  }
  return holdsFor(valuesOf(facts, asked), asked)
}

/** A product may have several of a field; it satisfies a condition with any of them, except that `not_equals` asks it of all. */
function holdsFor(values: Scalar[], { field, operator, value }: Condition): boolean {
  const given = [value].flat()
  const is = (one: Scalar) => given.some((other) => same(one, other))
  const [low = 0, high = 0] = given.map(Number)
  const number = (compare: (one: number) => boolean) => values.some((one) => typeof one === 'number' && compare(one))
  switch (operator) {
    case 'equals':
    case 'in':
      return values.some(is)
    case 'not_equals':
      return !values.some(is)
    case 'contains':
      // A list of tags contains a tag; a text contains a text.
      return field === 'tag' ? values.some(is) : values.some((one) => lower(one).includes(lower(given[0] ?? '')))
    case 'gt':
      return number((one) => one > low)
    case 'gte':
      return number((one) => one >= low)
    case 'lt':
      return number((one) => one < low)
    case 'lte':
      return number((one) => one <= low)
    case 'between':
      return number((one) => one >= low && one <= high)
  }
}

function valuesOf(facts: Facts, { field, name = '' }: Condition): Scalar[] {
  switch (field) {
    case 'category':
      return facts.category === null ? [] : [facts.category]
    case 'vendor':
      return facts.vendor === null ? [] : [facts.vendor]
    case 'title':
      return [facts.title]
    case 'tag':
      return facts.tags
    case 'price':
      return facts.prices
    case 'available':
      return [facts.available]
    case 'attribute': {
      const found = Object.hasOwn(facts.attributes, name) ? facts.attributes[name] : undefined
      return found === undefined ? [] : [found]
    }
  }
}

/** Text is compared without regard to case. A number is not the text of it. */
const same = (one: Scalar, other: Scalar) =>
  typeof one === 'string' && typeof other === 'string' ? lower(one) === lower(other) : one === other
const lower = (value: Scalar) => String(value).toLowerCase()
