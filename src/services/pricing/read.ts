/** Reading prices: always by the rules of the moment asked, whoever has been told of them yet. */
import type { Database } from '../../engine/database.ts'
import type { Money } from '../catalog/events.ts'
import type { PriceState } from './decider.ts'
import type { Price, Problem } from './events.ts'
import { pricesOf } from './price.ts'
import { type Promotion, type Rule, type Rulebook, versionOf } from './rule.ts'
import { ReadRulebook } from './store.ts'

export interface PricesNow {
  productId: string
  version: number
  status: PriceState['product']['status']
  prices: [sku: string, Price][]
  problems: Problem[]
}

export type RuleView = Rule & { version: number }
export type PromotionView = Omit<Promotion, 'begun'> & {
  version: number
  status: 'scheduled' | 'running' | 'ended'
  /** Not yet told of every product in its scope. */
  underWay: boolean
}

export const ruleView = (rule: Rule): RuleView => ({ ...rule, version: versionOf(rule) })

export class PriceReader {
  readonly #db: Database
  readonly #read = new ReadRulebook()

  constructor(db: Database) {
    this.#db = db
  }

  async ofProduct(productId: string): Promise<PricesNow | undefined> {
    const [found] = await this.#where('p.product_id = $2', productId)
    return found
  }

  /** The products that have any of these SKUs. */
  ofSkus(skus: string[]): Promise<PricesNow[]> {
    return this.#where('p.skus && $2::text[]', skus)
  }

  /** What these SKUs cost now, those without a price left out. While one moves between products, the product that is for sale counts. */
  async effective(skus: string[]): Promise<Map<string, Money>> {
    const products = await this.ofSkus(skus)
    products.sort((a, b) => Number(a.status === 'active') - Number(b.status === 'active'))
    const asked = new Set(skus)
    const found = products.flatMap(({ prices }) => prices.filter(([sku]) => asked.has(sku)))
    return new Map(found.map(([sku, { effective: amount, currency }]) => [sku, { amount, currency }]))
  }

  async #where(condition: string, value: unknown): Promise<PricesNow[]> {
    const rows = await this.#db.text<{
      version: number
      state: string
      now: Date
      revision: number
      body: string | null
    }>(
      `select p.version, p.state, clock_timestamp() as now, b.revision, case when b.revision <> $1 then b.body end as body
         from pricing.prices p cross join pricing.rulebook b
        where ${condition}`,
      [this.#read.revision, value],
    )
    return rows.map((row) => {
      const { product } = JSON.parse(row.state) as PriceState
      const { prices, problems } = pricesOf(product, this.#read.take(row), row.now)
      const { productId, status } = product
      return { productId, version: row.version, status, prices: Object.entries(prices), problems }
    })
  }

  async rules(): Promise<RuleView[]> {
    const [row] = await this.#db<{ body: string }>`select body from pricing.rulebook`
    return (JSON.parse(row?.body ?? '{"rules":[]}') as Rulebook).rules.map(ruleView)
  }

  async promotion(id: string): Promise<PromotionView | undefined> {
    const [row] = await this.#promotions('id = $1', [id], 1)
    return row
  }

  /** In order of their ids, from behind `after`. */
  promotions(after: string, limit: number): Promise<PromotionView[]> {
    return this.#promotions('id > $1', [after], limit)
  }

  async #promotions(condition: string, values: unknown[], limit: number): Promise<PromotionView[]> {
    const rows = await this.#db.text<{ promotion: string; status: PromotionView['status']; under_way: boolean }>(
      `select promotion, status,
              exists (select from pricing.repricings r where r.subject = 'promotion/' || p.id) as under_way
         from pricing.promotions p
        where ${condition}
        order by id
        limit $${values.length + 1}`,
      [...values, limit],
    )
    return rows.map(({ promotion, status, under_way }) => {
      const { begun: _, ...rest } = JSON.parse(promotion) as Promotion
      return { ...rest, version: versionOf(rest), status, underWay: under_way }
    })
  }
}
