/** The shop an import works on: its sources' commands, and the few things it has to know before it asks for them. */
import { setTimeout as wait } from 'node:timers/promises'
import type { Sql } from '../../engine/database.ts'
import type { CommandOptions, Executed } from '../../engine/executor.ts'
import { OutcomeUnknown, Unavailable } from '../../engine/unavailable.ts'
import type { CatalogCommand } from '../../services/catalog/decider.ts'
import type { Command as InventoryCommand } from '../../services/inventory/commands.ts'
import type { OrdersCommand } from '../../services/orders/commands.ts'

export interface Shop {
  catalog: { execute(command: CatalogCommand, options?: CommandOptions): Promise<Executed> }
  inventory: { execute(command: InventoryCommand, options?: CommandOptions): Promise<Executed> }
  db: Sql
}

/** A shop that sells too. */
export interface SellingShop extends Shop {
  orders: { execute(command: OrdersCommand, options?: CommandOptions): Promise<Executed> }
}

/** The warehouse of stock that names none. */
export const defaultWarehouse = 'main'

// A restarting database is back within seconds; what is not back after a minute needs somebody to look.
const triesMax = 60

/** Tries again while the database can't be reached. For commands that may be repeated: puts, counts, and those with a key. */
export async function patiently(execute: () => Promise<Executed>): Promise<Executed> {
  for (let tries = 1; ; tries++) {
    try {
      return await execute()
    } catch (error) {
      const passing = error instanceof Unavailable || error instanceof OutcomeUnknown
      if (!passing || tries === triesMax) throw error
      await wait(error.retryAfterSeconds * 1_000)
    }
  }
}

/** Which of these SKUs exist, and whose they are. */
export async function ownersOf(db: Sql, skus: string[]): Promise<Map<string, string>> {
  const rows = await db<{ sku: string; product_id: string }>`
    select sku, product_id from catalog.skus where sku = any(${skus}::text[])`
  return new Map(rows.map((row) => [row.sku, row.product_id]))
}

/** Which of these SKUs can be ordered. */
export async function stockedAmong(db: Sql, skus: string[]): Promise<Set<string>> {
  const rows = await db<{ sku: string }>`
    select sku from inventory.stock where sku = any(${skus}::text[]) and active`
  return new Set(rows.map((row) => row.sku))
}

/** The SKUs of these products. */
export async function skusOf(db: Sql, productIds: string[]): Promise<Map<string, string[]>> {
  const rows = await db<{ id: string; skus: string[] }>`
    select p.id, array(select variant ->> 'sku' from json_array_elements(p.state -> 'variants') variant) as skus
    from   catalog.products p
    where  p.id = any(${productIds}::text[]) and not p.deleted`
  return new Map(rows.map((row) => [row.id, row.skus]))
}

/** Opens warehouses as files name them; each is asked for once. */
export class Warehouses {
  readonly #db: Sql
  readonly #created: (id: string) => void
  readonly #known = new Map<string, Promise<void>>()

  constructor(db: Sql, created: (id: string) => void) {
    this.#db = db
    this.#created = created
  }

  /** Resolves once there is such a warehouse. */
  async ensure(id: string): Promise<void> {
    let known = this.#known.get(id)
    if (!known) {
      known = this.#create(id)
      this.#known.set(id, known)
    }
    await known
  }

  async #create(id: string): Promise<void> {
    // After those there are: orders go on taking from the warehouses they took from.
    const { count } = await this.#db`
      insert into inventory.warehouses (id, name, priority)
      select ${id}::text, ${id === defaultWarehouse ? 'Main warehouse' : `Warehouse ${id}`}::text, coalesce(max(priority), 0) + 1
      from   inventory.warehouses
      on conflict (id) do nothing`
    if (count > 0) this.#created(id)
  }
}
