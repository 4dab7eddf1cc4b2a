/** Drafts become the shop's products and stock, and each is reported. */
import { Rejected } from '../../engine/decider.ts'
import type { CatalogueOptions } from './catalogue.ts'
import { InFlight } from './in-flight.ts'
import { preview } from './preview.ts'
import type { Draft, StockLine } from './products.ts'
import type { ReportWriter } from './report.ts'
import { defaultWarehouse, patiently, type Shop, Warehouses } from './shop.ts'

// Enough for full group commits; twice as many are no faster and hold 30 MB more.
const inFlightMax = 1_000
// Of a thousand large products, each in memory several times on its way to Postgres, there would be 100 MB and more.
const charactersMax = 2_000_000

type TakingOptions = Pick<CatalogueOptions, 'dryRun' | 'stock'>

/** Carries drafts out, many at a time, and reports each. */
export class Taking {
  readonly #options: TakingOptions
  readonly #shop: Shop
  readonly #report: ReportWriter
  readonly #inFlight = new InFlight(inFlightMax, charactersMax)
  readonly #warehouses: Warehouses

  constructor(options: TakingOptions, shop: Shop, report: ReportWriter) {
    this.#options = options
    this.#shop = shop
    this.#report = report
    this.#warehouses = new Warehouses(shop.db, (id) => {
      report.count('warehousesCreated')
      report.note(`there was no warehouse ${id}: created`)
    })
  }

  async take(drafts: Draft[]): Promise<void> {
    if (this.#options.dryRun) return this.#compare(drafts)
    for (const draft of drafts) {
      for (const problem of draft.problems) this.#report.problem(problem)
      if (draft.product || draft.stock.length > 0) {
        const characters = JSON.stringify(draft.product ?? '').length
        await this.#inFlight.add(() => this.#carryOut(draft), characters)
      } else this.#report.count(draft.refusal ?? 'productsRefused')
    }
  }

  done(): Promise<void> {
    return this.#inFlight.all()
  }

  async #carryOut(draft: Draft): Promise<void> {
    const { product, line } = draft
    if (product) {
      try {
        const { answer } = await patiently(() => this.#shop.catalog.execute({ type: 'put', product }))
        this.#report.count(
          { created: 'productsCreated', updated: 'productsUpdated' }[answer.outcome as string] ?? 'productsUnchanged',
        )
        this.#report.entry(line, product.id, String(answer.outcome))
      } catch (error) {
        if (!(error instanceof Rejected)) throw error
        this.#report.count('productsRefused')
        this.#report.problem({ line, kind: 'refused', what: product.id, reason: error.message })
        return
      }
    }
    if (this.#options.stock === 'ignore') return
    for (const stock of draft.stock) await this.#count(stock, product?.id ?? stock.productId ?? stock.sku)
  }

  async #count(stock: StockLine, productId: string): Promise<void> {
    const { line, sku, quantity } = stock
    const warehouseId = stock.warehouse || defaultWarehouse
    try {
      await this.#warehouses.ensure(warehouseId)
      const initial = { type: 'set-initial', sku, productId, warehouseId, quantity, trigger: 'IMPORTED' } as const
      let done = await patiently(() => this.#shop.inventory.execute(initial))
      if (this.#options.stock === 'set' && done.answer.newQuantity !== quantity) {
        const set = { type: 'set-quantity', sku, warehouseId, quantity, trigger: 'IMPORTED' } as const
        done = await patiently(() => this.#shop.inventory.execute(set))
      }
      const kept = done.answer.newQuantity !== quantity
      this.#report.count(kept ? 'stockKept' : Object.keys(done.versions).length > 0 ? 'stockSet' : 'stockUnchanged')
      if (kept) this.#report.note('stock that has moved since its first count was kept; --stock set overwrites it')
      this.#report.entry(line, `${sku} in ${warehouseId}`, kept ? 'kept' : 'counted')
    } catch (error) {
      if (!(error instanceof Rejected)) throw error
      this.#report.count('stockRefused')
      this.#report.problem({ line, kind: 'refused', what: sku, reason: error.message })
    }
  }

  async #compare(drafts: Draft[]): Promise<void> {
    const whole = drafts.flatMap((draft) => (draft.product ? [{ draft, product: draft.product }] : []))
    const outcomes =
      whole.length === 0
        ? []
        : await preview(
            this.#shop,
            whole.map(({ product }) => product),
          )
    for (const draft of drafts) {
      for (const problem of draft.problems) this.#report.problem(problem)
      this.#report.count('stockRead', draft.stock.length)
      if (!draft.product && draft.stock.length === 0) this.#report.count(draft.refusal ?? 'productsRefused')
    }
    for (const [n, outcome] of outcomes.entries()) {
      const { line = 0, product } = whole[n]?.draft ?? {}
      const id = product?.id ?? ''
      if (typeof outcome === 'string') {
        this.#report.count(
          { created: 'productsCreated', updated: 'productsUpdated', unchanged: 'productsUnchanged' }[outcome],
        )
        this.#report.entry(line, id, outcome)
      } else {
        this.#report.count('productsRefused')
        this.#report.problem({ line, kind: 'refused', what: id, reason: outcome.refused })
      }
    }
  }
}
