/** What can be asked of the search, and how answers are ordered. */
import { z } from 'zod'
import { flagQuery, limitQuery } from '../../engine/http.ts'
import { plainText } from '../../engine/text.ts'

const price = z.coerce.number({ error: 'must be a whole number' }).int().min(0).max(Number.MAX_SAFE_INTEGER)

const filters = z.strictObject({
  q: plainText(200).optional(),
  category: plainText(200).optional(),
  vendor: plainText(200).optional(),
  /** Any of them: `tag=a&tag=b` or `tag=a,b`. */
  tag: z
    .union([plainText(2_000), z.array(plainText(200))])
    .transform((given) => [given].flat().flatMap((part) => part.split(',')))
    .transform((tags) => tags.map((tag) => tag.trim()).filter((tag) => tag !== ''))
    .refine((tags) => tags.length > 0 && tags.length <= 50, 'must name 1 to 50 tags')
    .optional(),
  /** Minor units; a product matches when any price of its variants' range does. */
  priceMin: price.optional(),
  priceMax: price.optional(),
  available: flagQuery.optional(),
  sort: z.enum(['relevance', 'price_asc', 'price_desc', 'newest', 'title']).default('relevance'),
  ...limitQuery(24, 100),
})

export const searchQuery = filters.refine(
  ({ priceMin = 0, priceMax = Number.MAX_SAFE_INTEGER }) => priceMin <= priceMax,
  {
    path: ['priceMax'],
    error: 'must not be less than priceMin',
  },
)
export type SearchQuery = z.infer<typeof searchQuery>

/** The value products are ordered by; among equals the id decides. Products without a price come last both ways. */
export const sortings = {
  relevance: { key: 'score', type: 'int', order: 'desc' },
  price_asc: { key: 'coalesce(price_min, 9223372036854775807)', type: 'bigint', order: 'asc' },
  price_desc: { key: 'coalesce(price_max, -1)', type: 'bigint', order: 'desc' },
  newest: { key: 'created_at', type: 'timestamptz', order: 'desc' },
  title: { key: 'sort_title', type: 'text', order: 'asc' },
} as const

const places = {
  relevance: z.string().regex(/^\d{1,7}$/),
  price_asc: z.string().regex(/^\d{1,19}$/),
  price_desc: z.string().regex(/^-?\d{1,19}$/),
  newest: z.string().regex(/^\d{4,6}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?[+-]\d\d(:\d\d)?$/),
  title: plainText(4_000),
}

/** Where a page ended: `[sort, value, product id]`. A cursor of another order is refused. */
export const placeSchema = (sort: SearchQuery['sort']) => z.tuple([z.literal(sort), places[sort], plainText(200)])
