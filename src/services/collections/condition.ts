/**
 * What one condition of a rule asks of a product. Each field and each operator is defined once, for one product in memory and for a table of
 * them in SQL, and a property test compares the two. Text is compared in lower case (NFC), folded here when it is kept and when it is asked.
 */
import { z } from 'zod'
import { plainText } from '../../engine/text.ts'

export type Scalar = string | number | boolean

/** What rules ask about: as it is kept, text folded. Those that a product may lack or have several of are lists. */
export interface Facts {
  category: string[]
  vendor: string[]
  title: string[]
  tag: string[]
  attribute: Record<string, Scalar>
  price: Price[]
  /** Milliseconds since 1970. */
  created: number[]
  available: boolean
}
/** Minor units and their currency. */
export interface Price {
  a: number
  c: string
}

/** Binds a value and answers its placeholder. */
export type Bind = (value: unknown) => string

/** Which attribute, or prices in which currency. */
type Which = { name?: string | undefined; currency?: string | undefined }

interface FieldKind {
  operators: readonly OperatorName[]
  values: readonly ('string' | 'number' | 'boolean' | 'date')[]
  of(facts: Facts, which: Which): Scalar[]
  /** The same as a jsonb array, of a row `p` of collections.askable. */
  sql(which: Which, bind: Bind): string
}

interface Operator {
  given: 'one' | 'many' | 'range'
  /** The types of value it can take, among the field's. */
  values: readonly ('string' | 'number' | 'boolean' | 'date')[]
  /** Holds when none of the product's values satisfies `is`, not when one does. */
  negated?: true
  is(one: Scalar, given: Scalar[]): boolean
  /** The same of `v`, a jsonb scalar. */
  sql(v: string, given: Scalar[], bind: Bind): string
}

const any = ['string', 'number', 'boolean', 'date'] as const
const ordered = ['number', 'date'] as const

const among: Operator = {
  given: 'one',
  values: any,
  is: (one, given) => given.includes(one),
  sql: (v, given, bind) => `${bind(JSON.stringify(given))}::jsonb @> ${v}`,
}
const compared = (symbol: '<' | '<=' | '>' | '>=', is: (one: number, given: number) => boolean): Operator => ({
  given: 'one',
  values: ordered,
  is: (one, [given]) => typeof one === 'number' && is(one, given as number),
  sql: (v, [given], bind) => ifNumber(v, (n) => `${n} ${symbol} ${bind(String(given))}::numeric`),
})
const written = (
  is: (one: string, given: string) => boolean,
  sql: (text: string, given: string) => string,
): Operator => ({
  given: 'one',
  values: ['string'],
  is: (one, [given]) => typeof one === 'string' && is(one, given as string),
  sql: (v, [given], bind) =>
    `case jsonb_typeof(${v}) when 'string' then ${sql(`(${v} #>> '{}')`, `${bind(given)}::text`)} else false end`,
})
const ifNumber = (v: string, then: (n: string) => string) =>
  `case jsonb_typeof(${v}) when 'number' then ${then(`(${v})::numeric`)} else false end`

const operators = {
  equals: among,
  not_equals: { ...among, negated: true },
  in: { ...among, given: 'many' },
  not_in: { ...among, given: 'many', negated: true },
  contains: written(
    (one, given) => one.includes(given),
    (text, given) => `strpos(${text}, ${given}) > 0`,
  ),
  starts_with: written(
    (one, given) => one.startsWith(given),
    (text, given) => `starts_with(${text}, ${given})`,
  ),
  gt: compared('>', (one, given) => one > given),
  gte: compared('>=', (one, given) => one >= given),
  lt: compared('<', (one, given) => one < given),
  lte: compared('<=', (one, given) => one <= given),
  between: {
    given: 'range',
    values: ordered,
    is: (one, [low, high]) => typeof one === 'number' && one >= (low as number) && one <= (high as number),
    sql: (v, [low, high], bind) =>
      ifNumber(v, (n) => `${n} between ${bind(String(low))}::numeric and ${bind(String(high))}::numeric`),
  },
  /** Does the product have the field at all: true or false is asked. */
  exists: { given: 'one', values: ['boolean'], is: () => true, sql: () => 'true' },
} satisfies Record<string, Operator>
type OperatorName = keyof typeof operators
const operatorNames = Object.keys(operators) as [OperatorName, ...OperatorName[]]

const listed = (name: 'category' | 'vendor' | 'title' | 'tag' | 'created') => ({
  of: (facts: Facts): Scalar[] => facts[name],
  sql: () => `(p.facts -> '${name}')`,
})
const words = ['equals', 'not_equals', 'in', 'not_in', 'contains', 'starts_with'] as const
const numbers = ['equals', 'not_equals', 'in', 'not_in', 'gt', 'gte', 'lt', 'lte', 'between'] as const

const fields = {
  category: { operators: [...words, 'exists'], values: ['string'], ...listed('category') },
  vendor: { operators: [...words, 'exists'], values: ['string'], ...listed('vendor') },
  title: { operators: words, values: ['string'], ...listed('title') },
  tag: { operators: [...words, 'exists'], values: ['string'], ...listed('tag') },
  /** A variant's price as it is sold, in minor units; with `currency` only prices in that one. */
  price: {
    operators: [...numbers, 'exists'],
    values: ['number'],
    of: (facts, { currency }) =>
      facts.price.filter(({ c }) => currency === undefined || c === currency).map(({ a }) => a),
    sql: ({ currency }, bind) =>
      `coalesce((select jsonb_agg(e -> 'a') from jsonb_array_elements(coalesce(p.effective, p.facts -> 'price')) as e` +
      `${currency === undefined ? '' : ` where e ->> 'c' = ${bind(currency)}::text`}), '[]')`,
  },
  available: {
    operators: ['equals', 'not_equals'],
    values: ['boolean'],
    of: (facts) => [facts.available],
    sql: () => `jsonb_build_array((p.facts -> 'offered')::boolean and p.in_stock)`,
  },
  created: { operators: ['gt', 'gte', 'lt', 'lte', 'between'], values: ['date'], ...listed('created') },
  attribute: {
    operators: operatorNames,
    values: ['string', 'number', 'boolean'],
    of: ({ attribute }, { name = '' }) => (Object.hasOwn(attribute, name) ? [attribute[name] as Scalar] : []),
    sql({ name }, bind) {
      const at = bind(name)
      return `(case when jsonb_exists(p.facts -> 'attribute', ${at}::text) then jsonb_build_array(p.facts -> 'attribute' -> ${at}::text) else '[]' end)`
    },
  },
} satisfies Record<string, FieldKind>
type FieldName = keyof typeof fields
const fieldNames = Object.keys(fields) as [FieldName, ...FieldName[]]

const scalar = z.union([plainText(500), z.number(), z.boolean()], 'must be text, a number, or true or false')

export const condition = z
  .strictObject({
    field: z.enum(fieldNames, `must be one of ${fieldNames.join(', ')}`),
    /** Of the attribute. */
    name: plainText(200).min(1, 'must not be empty').optional(),
    /** Of the price. */
    currency: z
      .string()
      .regex(/^[A-Z]{3}$/, 'must be an ISO 4217 code such as EUR')
      .optional(),
    operator: z.enum(operatorNames, `must be one of ${operatorNames.join(', ')}`),
    /** For `in` and `not_in` a list of 1 to 200 values, for `between` the lowest and the highest, both included. Dates are ISO 8601. */
    value: z.union([scalar, z.array(scalar).min(1).max(200)], 'must be a value, or a list of 1 to 200 values'),
  })
  .superRefine((given, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message })
    const { field, name, currency, operator, value } = given
    const kind: FieldKind = fields[field]
    const { given: shape, values: taken }: Operator = operators[operator]
    if (field === 'attribute' && name === undefined) issue('name', 'must name the attribute')
    if (field !== 'attribute' && name !== undefined) issue('name', 'is only for attributes')
    if (field !== 'price' && currency !== undefined) issue('currency', 'is only for prices')
    if (!kind.operators.includes(operator))
      return issue('operator', `must be one of ${kind.operators.join(', ')} for ${field}`)
    if ((shape !== 'one') !== Array.isArray(value))
      return issue('value', shape === 'one' ? `must be one value for ${operator}` : `must be a list for ${operator}`)
    const types = operator === 'exists' ? ['boolean'] : kind.values.filter((type) => taken.includes(type))
    const values = [value].flat()
    if (!values.every((one) => types.some((type) => isA(type, one))))
      return issue('value', `must be ${types.join(' or ')} for ${field} ${operator}`)
    const [low = 0, high = 0] = kept(given)
    if (shape === 'range' && !(values.length === 2 && low <= high))
      issue('value', 'must be the lowest and the highest, in this order')
  })
export type Condition = z.infer<typeof condition>

const isoDate = z.union([z.iso.date(), z.iso.datetime({ offset: true })])
const isA = (type: string, value: Scalar) =>
  type === 'date' ? isoDate.safeParse(value).success : typeof value === type

/** As facts are kept: in lower case and composed. */
export const folded = <Value extends Scalar>(value: Value) =>
  (typeof value === 'string' ? value.toLowerCase().normalize('NFC') : value) as Value

/** The values asked for, in the form facts are kept in. */
const kept = ({ field, value }: Condition): Scalar[] =>
  [value].flat().map((one) => (field === 'created' ? Date.parse(String(one)) : folded(one)))

/** A list of tags contains a tag; a text contains a text. */
const operatorOf = ({ field, operator }: Condition): Operator =>
  operators[field === 'tag' && operator === 'contains' ? 'equals' : operator]

/** The product's values that a condition looks at. */
export const valuesOf = (facts: Facts, asked: Condition): Scalar[] =>
  (fields[asked.field] as FieldKind).of(facts, asked)

/** As a claim about one product. A product may have several values of a field: one that satisfies it is enough, or none may if it is negated. */
export function predicate(asked: Condition): (facts: Facts) => boolean {
  if (asked.operator === 'exists') return (facts) => valuesOf(facts, asked).length > 0 === asked.value
  const { is, negated = false } = operatorOf(asked)
  const given = kept(asked)
  return (facts) => valuesOf(facts, asked).some((one) => is(one, given)) !== negated
}

/** The same as SQL of a row `p` of collections.askable; never null. */
export function conditionSql(asked: Condition, bind: Bind): string {
  const list = (fields[asked.field] as FieldKind).sql(asked, bind)
  if (asked.operator === 'exists') return `(jsonb_array_length(${list}) > 0) = ${bind(String(asked.value))}::boolean`
  const { sql, negated } = operatorOf(asked)
  const found = `exists (select from jsonb_array_elements(${list}) as v where ${sql('v.value', kept(asked), bind)})`
  return negated ? `not ${found}` : found
}
