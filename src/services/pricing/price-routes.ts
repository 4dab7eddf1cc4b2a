/** Prices over HTTP: what a product costs now and why, and what so many of these cost together. */
import { z } from 'zod'
import { Rejected } from '../../engine/decider.ts'
import { type App, etag, notFound } from '../../engine/http.ts'
import { identifier, quantity } from '../../engine/text.ts'
import { applied, problem } from './events.ts'
import type { PriceReader } from './read.ts'

const tags = ['pricing']
const variantPrice = z.object({
  sku: z.string(),
  list: z.int(),
  compareAt: z.int().optional(),
  effective: z.int(),
  currency: z.string(),
  applied: z.array(applied),
})
const productPrices = z.object({
  productId: z.string(),
  version: z.int(),
  variants: z.array(variantPrice),
  problems: z.array(problem),
})
const wanted = z.strictObject({
  lines: z
    .array(z.strictObject({ sku: identifier, quantity }))
    .min(1, 'must not be empty')
    .max(1_000, 'must have at most 1000 lines'),
})
const quote = z.object({
  currency: z.string(),
  lines: z.array(
    z.object({ sku: z.string(), quantity: z.int(), unitPrice: z.int(), total: z.int(), applied: z.array(applied) }),
  ),
  total: z.int(),
})

export function priceRoutes(app: App, reader: PriceReader, quoteNow: (lines: Line[]) => Promise<Quote>): void {
  app.get(
    '/products/:id/prices',
    {
      schema: {
        summary: 'What a product costs now, and why',
        tags,
        params: z.strictObject({ id: identifier }),
        response: { 200: productPrices },
      },
    },
    async (request, reply) => {
      const { id } = request.params
      const found = await reader.ofProduct(id)
      if (!found || found.status === 'deleted') throw notFound('product', id)
      reply.header('etag', etag(found.version))
      const { productId, version, problems } = found
      return { productId, version, variants: found.prices.map(([sku, price]) => ({ sku, ...price })), problems }
    },
  )

  app.post(
    '/pricing/quote',
    { schema: { summary: 'What so many of these cost now', tags, body: wanted, response: { 200: quote } } },
    (request) => quoteNow(request.body.lines),
  )
}

/** Which of these SKUs are of products that are not for sale. */
export type Resting = (skus: string[]) => Promise<ReadonlySet<string>>

type Line = z.infer<typeof wanted>['lines'][number]
export type Quote = z.infer<typeof quote>

/** Throws for SKUs that have no price or are not for sale, for more than one currency, and for sums beyond 2^53. */
export async function quoteOf(lines: Line[], reader: PriceReader, restingOf?: Resting): Promise<Quote> {
  const skus = [...new Set(lines.map(({ sku }) => sku))]
  const [products, rests] = await Promise.all([reader.ofSkus(skus), restingOf?.(skus)])
  // While a SKU moves from one product to another both may have it: the one that is for sale counts.
  products.sort((a, b) => Number(a.status === 'active') - Number(b.status === 'active'))
  const prices = new Map(products.flatMap((product) => product.prices))
  const onSale = new Set(
    products.flatMap(({ status, prices: priced }) => (status === 'active' ? priced.map(([sku]) => sku) : [])),
  )
  const those = (test: (sku: string) => boolean) => lines.filter(({ sku }) => test(sku)).map(({ sku }) => ({ sku }))
  const unknown = those((sku) => !prices.has(sku))
  if (unknown.length > 0) throw new Rejected('unknown-sku', { lines: unknown }, 'a line names an SKU without a price')
  const resting = those((sku) => !onSale.has(sku) || rests?.has(sku) === true)
  if (resting.length > 0)
    throw new Rejected('inactive-sku', { lines: resting }, 'a line names an SKU that is not for sale')
  const priced = lines.map(({ sku, quantity }) => {
    const { effective, currency, applied } = prices.get(sku) as NonNullable<ReturnType<typeof prices.get>>
    return { currency, line: { sku, quantity, unitPrice: effective, total: effective * quantity, applied } }
  })
  const currencies = [...new Set(priced.map(({ currency }) => currency))]
  if (currencies.length > 1)
    throw new Rejected('mixed-currencies', { currencies }, 'the lines are priced in several currencies')
  const total = priced.reduce((sum, { line }) => sum + line.total, 0)
  if (!Number.isSafeInteger(total))
    throw new Rejected('total-too-large', {}, 'the total is beyond what can be counted exactly')
  return { currency: currencies[0] as string, lines: priced.map(({ line }) => line), total }
}
