/** Rules and promotions: data that says whose price becomes what, and for which products. */
import { z } from 'zod'
import { identifier, plainText } from '../../engine/text.ts'
import { givenMoney as known } from '../catalog/events.ts'

const name = plainText(200).refine((text) => text.trim() !== '', 'must not be blank')
const list = <Item extends z.ZodType>(item: Item, max: number) =>
  z.array(item).min(1, 'must not be empty').max(max, `must have at most ${max} entries`)

/** Every dimension named must match, by any of its entries. */
export const scope = z
  .strictObject({
    all: z.literal(true, { error: 'must be true or left out' }).optional(),
    products: list(identifier, 10_000).optional(),
    categories: list(name, 1_000).optional(),
    tags: list(name, 1_000).optional(),
    vendors: list(name, 1_000).optional(),
  })
  .refine(({ all, ...others }) => (all === true) !== Object.values(others).some((entries) => entries !== undefined), {
    error: 'must be either all or one or more of products, categories, tags, vendors',
  })
export type Scope = z.infer<typeof scope>

export const effect = z.union(
  [
    z.strictObject({
      percentOff: z
        .number()
        .gt(0, 'must be more than 0')
        .max(100, 'must be at most 100')
        .refine((percent) => Number(percent.toFixed(2)) === percent, 'must have at most two decimal places'),
    }),
    z.strictObject({ amountOff: known.refine(({ amount }) => amount > 0, 'must be more than 0') }),
    z.strictObject({ fixedPrice: known }),
    /** To the nearest multiple of `step` minor units, half up, less `less`: step 100, less 1 makes 19.99 of 20.30. */
    z.strictObject({
      roundTo: z
        .strictObject({ step: z.int().min(1).max(1_000_000_000), less: z.int().min(0).default(0) })
        .refine(({ step, less }) => less < step, { path: ['less'], error: 'must be less than step' }),
    }),
  ],
  { error: 'must be one of percentOff, amountOff, fixedPrice, roundTo, as documented' },
)
export type Effect = z.infer<typeof effect>

const ruleFields = {
  name,
  /** Lower ones first, each on what the one before left; the id decides between equals. */
  priority: z.int('must be a whole number').min(-1_000_000).max(1_000_000),
  scope,
  effect,
  /** Never takes a price below this; one that is there already stays. */
  minPrice: known,
}
export const ruleInput = z.strictObject({
  id: identifier.optional(),
  ...ruleFields,
  priority: ruleFields.priority.default(0),
  minPrice: known.optional(),
})
export const rulePatch = z
  .strictObject({ ...ruleFields, minPrice: known.nullable() })
  .partial()
  .refine((patch) => Object.keys(patch).length > 0, 'must name at least one field to change')
export type RulePatch = z.infer<typeof rulePatch>

/** The change of the rulebook that it comes from, as its ETag; 0 of one that nobody changed since changes are counted. */
interface Counted {
  version?: number
}
export const versionOf = ({ version = 0 }: Counted): number => version

export type Rule = Omit<z.infer<typeof ruleInput>, 'id'> & { id: string } & Counted

const moment = z.iso.datetime({ offset: true, error: 'must be a time such as 2026-01-31T08:00:00Z' })
export const promotionInput = z
  .strictObject({ id: identifier.optional(), name, scope, effect, startsAt: moment, endsAt: moment })
  .refine(({ startsAt, endsAt }) => Date.parse(startsAt) < Date.parse(endsAt), {
    path: ['endsAt'],
    error: 'must be after startsAt',
  })

/** Times as UTC with milliseconds. From startsAt on, until before endsAt. */
export type Promotion = Omit<z.infer<typeof promotionInput>, 'id'> & { id: string; begun: boolean } & Counted

/** Everything that prices are made by: rules in their order, and promotions that have not ended. */
export interface Rulebook {
  rules: Rule[]
  promotions: Promotion[]
  /** How many changes it has had. A version is never used twice, also when what it was of is made anew under its id. */
  changes?: number
}

/** What a scope looks at. */
export interface Scoped {
  productId: string
  category: string | null
  vendorId: string | null
  tags: string[]
}

interface Looked {
  products: Set<string> | undefined
  categories: Set<string> | undefined
  tags: Set<string> | undefined
  vendors: Set<string> | undefined
}
const looked = new WeakMap<Scope, Looked>()
const setOf = (entries: string[] | undefined) => entries && new Set(entries)

/** Why a product is in a scope, in words; undefined when it is not. */
export function inScope(scope: Scope, { productId, category, vendorId, tags }: Scoped): string | undefined {
  if (scope.all) return 'all products'
  let sets = looked.get(scope)
  if (!sets) {
    const { products, categories, tags, vendors } = scope
    sets = { products: setOf(products), categories: setOf(categories), tags: setOf(tags), vendors: setOf(vendors) }
    looked.set(scope, sets)
  }
  const why: string[] = []
  const { products, categories, vendors } = sets
  if (products && !products.has(productId)) return undefined
  if (products) why.push(`product ${productId}`)
  if (categories && (category === null || !categories.has(category))) return undefined
  if (categories) why.push(`category ${category}`)
  if (sets.tags) {
    const tag = tags.find((one) => sets.tags?.has(one))
    if (tag === undefined) return undefined
    why.push(`tag ${tag}`)
  }
  if (vendors && (vendorId === null || !vendors.has(vendorId))) return undefined
  if (vendors) why.push(`vendor ${vendorId}`)
  return why.join(', ')
}
