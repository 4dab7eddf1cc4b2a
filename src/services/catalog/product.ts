/** A product: what may be said of it from outside, the one form it is kept in, and how two of its versions differ. */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import type { FieldChange } from '../../engine/event.ts'
import { count, identifier, plainText } from '../../engine/text.ts'
import { type Media, givenMoney as money, type Product, type Variant } from './events.ts'

export const productEntity = (productId: string) => `product/${productId}`
export const skuEntity = (sku: string) => `sku/${sku}`

/** Text with something in it beside blanks. */
const words = (max: number) => plainText(max).refine((text) => text.trim() !== '', 'must not be blank')

/** An object of at most `max` entries with plain names. */
const named = <Value extends z.ZodType>(value: Value, max: number) =>
  z.record(words(100), value).refine((record) => Object.keys(record).length <= max, `must have at most ${max} entries`)

const mediaInput = z.strictObject({
  url: plainText(2_000).refine(isMediaUrl, 'must be an http(s) address or a path that begins with a single /'),
  alt: plainText(500).optional(),
})

const variantInput = z.strictObject({
  sku: identifier,
  title: words(500).optional(),
  options: named(words(200), 10).optional(),
  barcode: words(64).optional(),
  price: money,
  compareAtPrice: money.optional(),
})

const fields = z.strictObject({
  title: words(500),
  description: plainText(50_000).optional(),
  vendorId: words(200).nullable().optional(),
  category: words(200).nullable().optional(),
  tags: z.array(words(200)).max(250, 'must have at most 250 tags').optional(),
  attributes: named(z.union([plainText(5_000), z.number(), z.boolean()]), 250).optional(),
  status: z.enum(['active', 'draft', 'archived']).optional(),
  isAvailable: z.boolean().optional().meta({
    description: 'whether it is offered, whatever its stock; left out: true of a new product, otherwise as it was',
  }),
  media: z.array(mediaInput).max(250, 'must have at most 250 media').optional(),
  variants: z
    .array(variantInput)
    .min(1, 'must have at least one variant')
    .max(1_000, 'must have at most 1000 variants')
    .superRefine((variants, context) => {
      const seen = new Set<string>()
      for (const [at, { sku }] of variants.entries()) {
        if (seen.has(sku)) context.addIssue({ code: 'custom', path: [at, 'sku'], message: `is given twice: ${sku}` })
        seen.add(sku)
      }
    }),
})

/** A whole product, as `POST /products` and an import give it. */
export const productInput = fields.extend({ id: identifier.optional() })
export type ProductInput = z.infer<typeof productInput>

/** What is on hand of its SKUs, beside any of its fields (E, Product Attribute Synchronization: each kind of change goes to its owner). */
const stockCounts = z
  .array(
    z.strictObject({
      sku: identifier,
      /** Without it where the SKU is kept, or else the first default warehouse. */
      warehouseId: identifier.optional(),
      quantity: count,
      reason: plainText(500).optional(),
    }),
  )
  .min(1, 'must have at least one count')
  .max(500, 'must have at most 500 counts')
  .superRefine((counts, context) => {
    const seen = new Set<string>()
    for (const [at, { sku, warehouseId }] of counts.entries()) {
      const name = JSON.stringify([sku, warehouseId])
      if (seen.has(name)) context.addIssue({ code: 'custom', path: [at, 'sku'], message: `is given twice: ${sku}` })
      seen.add(name)
    }
  })
export type StockCount = z.infer<typeof stockCounts>[number]

/** Any of a product's fields, as `PATCH /products/:id` gives them; a list or object takes the old one's place as a whole. Counts are inventory's. */
export const productPatch = fields
  .partial()
  .extend({ stock: stockCounts.optional() })
  .refine((patch) => Object.keys(patch).length > 0, 'must name at least one field to change')
export type ProductPatch = z.infer<typeof productPatch>

/** A whole product with its id, every field in the form it is kept in. `isAvailable` left out: as it was, or true. */
export type NormalProduct = Omit<Product, 'isAvailable' | 'createdAt' | 'updatedAt'> & { isAvailable?: boolean }

/** What is left out gets its plain value, so putting the same thing twice is no change. */
export function normalProduct(input: ProductInput & { id: string }): NormalProduct {
  const { id, title, description = '', vendorId = null, category = null, tags = [] } = input
  const { attributes = {}, status = 'active', isAvailable, media = [], variants } = input
  const given = { title, description, vendorId, category, tags, attributes, status, isAvailable, media, variants }
  return { id, ...normalFields(given) } as NormalProduct
}

/** The given fields in the form they are kept in; those left out stay out. */
export function normalFields(patch: ProductPatch): Partial<NormalProduct> {
  const { title, description, vendorId, category, tags, attributes, status, isAvailable, media, variants } = patch
  return {
    ...(title !== undefined && { title: title.trim() }),
    ...(description !== undefined && { description }),
    ...(vendorId !== undefined && { vendorId: vendorId?.trim() ?? null }),
    ...(category !== undefined && { category: category?.trim() ?? null }),
    ...(tags !== undefined && { tags: [...new Set(tags.map((tag) => tag.trim()))] }),
    ...(attributes !== undefined && { attributes: normalAttributes(attributes) }),
    ...(status !== undefined && { status }),
    ...(isAvailable !== undefined && { isAvailable }),
    ...(media !== undefined && { media: media.map(normalMedia) }),
    ...(variants !== undefined && { variants: variants.map(normalVariant) }),
  }
}

type Attributes = Product['attributes']

// −0 is written as 0 and would differ from itself after a round trip through JSON; adding 0 makes it 0.
const normalAttributes = (attributes: Attributes): Attributes =>
  Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [name, typeof value === 'number' ? value + 0 : value]),
  )

const normalMedia = ({ url, alt }: Media): Media => ({ url, ...(alt && { alt }) })

const normalVariant = ({
  sku,
  title,
  options,
  barcode,
  price,
  compareAtPrice,
}: z.infer<typeof variantInput>): Variant => ({
  sku,
  ...(title !== undefined && { title: title.trim() }),
  options: { ...options },
  ...(barcode !== undefined && { barcode: barcode.trim() }),
  price: { amount: price.amount + 0, currency: price.currency },
  ...(compareAtPrice && { compareAtPrice: { amount: compareAtPrice.amount + 0, currency: compareAtPrice.currency } }),
})

/** `javascript:` and `//elsewhere` are no places for a picture. */
function isMediaUrl(url: string): boolean {
  if (/^\/(?![/\\])/.test(url)) return true
  return /^https?:\/\//i.test(url) && URL.canParse(url)
}

const plainFields = ['title', 'description', 'vendorId', 'category', 'tags', 'status', 'isAvailable', 'media'] as const
const variantFields = ['title', 'options', 'barcode', 'price', 'compareAtPrice'] as const

/**
 * What changed, field by field (D, Change Tracking): `title`, `tags`, `attributes.color`, `variants.KIT-1.price`. An attribute or variant
 * that came or went is one change from or to null; `variants` itself stands for their order, as lists of SKUs, where that is not what
 * leaving out the old and putting the new at the end would give. Id and times are no changes.
 */
export function changesBetween(before: Product, after: Product): FieldChange[] {
  const changes: FieldChange[] = []
  const compare = (field: string, oldValue: unknown, newValue: unknown) => {
    if (oldValue === newValue) return
    if (!isDeepStrictEqual(oldValue, newValue))
      changes.push({ field, oldValue: oldValue ?? null, newValue: newValue ?? null })
  }
  for (const field of plainFields) compare(field, before[field], after[field])
  for (const name of union(Object.keys(before.attributes), Object.keys(after.attributes))) {
    compare(`attributes.${name}`, before.attributes[name], after.attributes[name])
  }
  if (before.variants === after.variants) return changes

  const old = new Map(before.variants.map((variant) => [variant.sku, variant]))
  const now = new Map(after.variants.map((variant) => [variant.sku, variant]))
  const skus = union(old.keys(), now.keys())
  for (const sku of skus) {
    const [was, is] = [old.get(sku), now.get(sku)]
    if (was && is) for (const field of variantFields) compare(`variants.${sku}.${field}`, was[field], is[field])
    else compare(`variants.${sku}`, was, is)
  }
  const expected = skus.filter((sku) => now.has(sku))
  const order = [...now.keys()]
  if (!isDeepStrictEqual(expected, order))
    changes.push({ field: 'variants', oldValue: [...old.keys()], newValue: order })
  return changes
}

/** All of them once, the first's before the second's. */
const union = (first: Iterable<string>, second: Iterable<string>) => [...new Set([...first, ...second])]
