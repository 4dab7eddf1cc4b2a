/** Items follow products: new SKUs get items, removed ones and those of deleted products rest (document C, Events Consumed). */
import type { Logger } from 'pino'
import { type Projection, projection } from '../../engine/consumer.ts'
import type { Sql } from '../../engine/database.ts'
import type { Data, LoggedEvent, Meta } from '../../engine/event.ts'
import type { CommandOptions, Executor } from '../../engine/executor.ts'
import type { Product } from '../catalog/events.ts'
import type { Command } from './commands.ts'
import type { InventorySettings } from './settings.ts'

type Execute = Executor<Command>['execute']
type Change = Pick<LoggedEvent, 'id' | 'type' | 'data' | 'meta'>

/** What inventory has of a product, and what the product wants. */
interface Difference {
  productId: string
  options: CommandOptions
  isNew: boolean
  /** SKUs without an active item of this product. */
  missing: string[]
  /** Active items the product no longer has. */
  extra: string[]
}

/**
 * Commands of a batch go out together and so share a commit. They are right when they come again, so the checkpoint may lag behind
 * them. Throws for a SKU that another product's item holds, and, where items are not created by themselves, for one that has none
 * (document A, Inventory: "SKU not found").
 */
export class CatalogFollower {
  readonly #execute: Execute
  readonly #settings: InventorySettings
  readonly #log: Logger

  constructor(execute: Execute, settings: InventorySettings, log: Logger) {
    this.#execute = execute
    this.#settings = settings
    this.#log = log
  }

  projection(): Projection {
    return projection({
      name: 'inventory',
      on: ['product.*'],
      apply: (changes, tx) => this.follow(changes, tx),
      // Items are inventory's own data: run again it finds them as they should be.
      async reset() {},
    })
  }

  /**
   * Catches up with one product now, for whoever can't wait for the projection's turn. Answers the SKUs it has by now, whether or not they have items;
   * undefined when there is no such product.
   */
  async catchUp(productId: string, sql: Sql): Promise<string[] | undefined> {
    const [row] = await sql<{ id: string; type: string; data: string; meta: string }>`
      select id, type, data, meta
        from lockstep.events
       where entity = ${`product/${productId}`}
       order by version desc
       limit 1`
    if (!row || row.type === 'product.deleted') return undefined
    const data = JSON.parse(row.data) as Data
    if (this.#settings.autoCreate) await this.follow([{ ...row, data, meta: JSON.parse(row.meta) as Meta }], sql)
    return (data.product as Product).variants.map(({ sku }) => sku)
  }

  /** One change a product. */
  async follow(changes: Change[], sql: Sql): Promise<void> {
    const differences = await differencesOf(changes, sql)
    // What goes comes first: a SKU may move from one product to another within a batch.
    await settled(differences.filter(({ extra }) => extra.length > 0).map((difference) => this.#deactivate(difference)))
    const wanting = differences.filter(({ missing }) => missing.length > 0)
    if (wanting.length === 0) return
    if (!this.#settings.autoCreate) {
      const [first] = wanting.filter(({ isNew }) => !isNew)
      if (first) throw new Error(`SKU not found: ${first.missing.join(', ')}`)
      return
    }
    if (this.#settings.defaultWarehouses.length === 0) {
      this.#log.warn({ products: wanting.length }, 'No default warehouses configured for auto inventory creation')
      return
    }
    const skipped = new Set((await settled(wanting.map((difference) => this.#open(difference)))).flat())
    for (const warehouseId of skipped) {
      this.#log.warn({ warehouseId }, `Default warehouse ${warehouseId} not found, skipping`)
    }
  }

  async #deactivate({ productId, extra, options }: Difference): Promise<void> {
    await this.#execute({ type: 'deactivate', productId, skus: extra }, options)
  }

  async #open({ productId, missing, options }: Difference): Promise<string[]> {
    const warehouseIds = [...this.#settings.defaultWarehouses]
    const { answer } = await this.#execute({ type: 'open', productId, skus: missing, warehouseIds }, options)
    return answer.skippedWarehouses
  }
}

async function differencesOf(changes: Change[], sql: Sql): Promise<Difference[]> {
  const products = changes.map((change) => change.data.product as Product)
  const rows = await sql<{ sku: string; product_id: string }>`
    select sku, product_id
      from inventory.stock
     where active
       and product_id = any(${products.map((product) => product.id)}::text[])`
  const items = Map.groupBy(rows, (row) => row.product_id)
  return changes.map(({ id: causationId, type, meta, data }) => {
    const product = data.product as Product
    const wanted = new Set(type === 'product.deleted' ? [] : product.variants.map((variant) => variant.sku))
    const there = new Set(items.get(product.id)?.map((row) => row.sku))
    return {
      productId: product.id,
      options: { actor: 'catalog', causationId, correlationId: meta.correlationId },
      isNew: type === 'product.created',
      missing: [...wanted.difference(there)],
      extra: [...there.difference(wanted)],
    }
  })
}

/** Waits for all, so that none goes on behind its batch's back; then throws the first failure. */
async function settled<Result>(work: Promise<Result>[]): Promise<Result[]> {
  const results = await Promise.allSettled(work)
  return results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
}
