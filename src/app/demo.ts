/** The demo: fills an empty shop, and then keeps it moving like one that is open. */
import { randomUUID } from 'node:crypto'
import { type Database, isInfrastructure } from '../engine/database.ts'
import { pause } from '../engine/deadline.ts'
import { Rejected } from '../engine/decider.ts'
import { OutcomeUnknown, Unavailable } from '../engine/unavailable.ts'
import type { Product } from '../services/catalog/events.ts'
import { createCollection } from '../services/collections/collections.ts'
import { newKey } from '../services/customers/seal.ts'
import type { CustomersService } from '../services/customers/service.ts'
import { demoCollections, demoCustomers, demoProducts, demoWarehouses, randomFrom } from './demo-shop.ts'
import type { Shop } from './import/shop.ts'
import { Turn } from './turn.ts'

export interface DemoOptions {
  shop: Shop & { db: Database; customers: Pick<CustomersService, 'execute'> }
  /** Milliseconds between two happenings, on average. */
  everyMs?: number
  seed?: number
}

const actor = 'demo'

/** Puts the demo's products, stock, collections and customers into an empty catalog, all at once. Answers false, and does nothing, if it has products. */
export async function seedDemo({ shop }: Pick<DemoOptions, 'shop'>): Promise<boolean> {
  const { catalog, inventory, customers, db } = shop
  const [found] = await db<{ any: boolean }>`select exists (select from catalog.products) as any`
  if (found?.any) return false
  await Promise.all(
    demoWarehouses.map(
      ({ id, name, priority, leadDays: [least, most] }) => db`
        insert into inventory.warehouses (id, name, priority, lead_time_min, lead_time_max)
        values (${id}, ${name}, ${priority}, ${least}, ${most})
        on conflict (id) do update set name = excluded.name, priority = excluded.priority,
                                       lead_time_min = excluded.lead_time_min, lead_time_max = excluded.lead_time_max`,
    ),
  )
  const products = demoProducts()
  await Promise.all(products.map(({ product }) => catalog.execute({ type: 'put', product }, { actor })))
  const counts = products.flatMap(({ product, stock }) =>
    stock.map((count) => ({ type: 'set-initial', productId: product.id, trigger: 'IMPORTED', ...count }) as const),
  )
  await Promise.all(counts.map((count) => inventory.execute(count, { actor })))
  for (const { id, ...fields } of demoCollections) await createCollection(db, id, fields)
  await Promise.all(
    demoCustomers().map((each) => customers.execute({ type: 'create', ...each, key: newKey() }, { actor })),
  )
  return true
}

/** Is this the demo's shop? Somebody's own is never moved. */
export async function isDemo(db: Database): Promise<boolean> {
  const ids = demoProducts().map(({ product }) => product.id)
  const [found] = await db<{ count: number }>`
    select count(*)::int as count from catalog.products where id = any(${ids}::text[])`
  return (found?.count ?? 0) > ids.length / 2
}

interface Sale {
  orderId: string
  lines: { sku: string; quantity: number }[]
}

/** What happens in the shop. It only touches the demo's own products, whatever else there is. */
export class Demo {
  readonly #shop: DemoOptions['shop']
  readonly #everyMs: number
  readonly #random: () => number
  readonly #products = demoProducts()
  readonly #skus = this.#products.flatMap(({ product }) => product.variants.map(({ sku }) => sku))
  readonly #sales: Sale[] = []
  readonly #held: string[] = []

  constructor({ shop, everyMs = 700, seed = Date.now() }: DemoOptions) {
    this.#shop = shop
    this.#everyMs = everyMs
    this.#random = randomFrom(seed)
  }

  /**
   * Until the signal, in one process at a time: a standby's shop must not move twice as fast. What the shop refuses is part of the show; a
   * database that is away is waited for.
   */
  async run(signal: AbortSignal): Promise<void> {
    const turn = new Turn(this.#shop.db, 'lockstep.demo')
    try {
      while (!signal.aborted) {
        await pause(this.#everyMs * (0.4 + 1.2 * this.#random()), signal)
        if (!signal.aborted && (await turn.mine())) await this.runOnce()
      }
    } finally {
      turn.leave()
    }
  }

  /** One happening. Answers what it was, or undefined when the shop refused or could not be reached. */
  async runOnce(): Promise<string | undefined> {
    const dice = this.#random()
    const [happening] = chances.find(([, upTo]) => dice < upTo) ?? ['order']
    try {
      await this[happening]()
      return happening
    } catch (error) {
      const passing = error instanceof Unavailable || error instanceof OutcomeUnknown || isInfrastructure(error)
      if (passing || error instanceof Rejected) return undefined
      throw error
    }
  }

  async order(): Promise<void> {
    const sale = { orderId: `demo-${randomUUID()}`, lines: this.#basket() }
    const customerId = `customer-${1 + Math.floor(this.#random() * 400)}`
    await this.#shop.inventory.execute({ type: 'order', customerId, ...sale }, { actor, key: `order:${sale.orderId}` })
    this.#sales.push(sale)
    if (this.#sales.length > 50) this.#sales.shift()
  }

  async reserve(): Promise<void> {
    const reservationId = randomUUID()
    await this.#shop.inventory.execute(
      { type: 'reserve', reservationId, lines: this.#basket(), ttlSeconds: 30 },
      { actor },
    )
    this.#held.push(reservationId)
  }

  /** Most carts are bought, some are left, and a few are forgotten until they expire. */
  async closeReservation(): Promise<void> {
    const reservationId = this.#held.shift()
    if (reservationId === undefined) return this.reserve()
    const dice = this.#random()
    if (dice < 0.85)
      await this.#shop.inventory.execute({ type: dice < 0.6 ? 'confirm' : 'release', reservationId }, { actor })
  }

  async giveBack(): Promise<void> {
    const [sale] = this.#sales.splice(Math.floor(this.#random() * this.#sales.length), 1)
    const [line] = sale?.lines ?? []
    if (!sale || !line) return this.order()
    const lines = [{ sku: line.sku, quantity: 1 }]
    const command = {
      type: 'return',
      orderId: sale.orderId,
      returnId: randomUUID(),
      lines,
      reason: 'changed my mind',
    } as const
    await this.#shop.inventory.execute(command, { actor })
  }

  /** A delivery of what is scarcest. */
  async restock(): Promise<void> {
    const [scarce] = await this.#shop.db<{ sku: string; available: number }>`
      select   l.sku, sum(l.on_hand - l.reserved)::int as available
      from     inventory.levels l
      join     inventory.stock s using (sku)
      where    l.sku = any(${this.#skus}::text[]) and s.active
      group by l.sku
      order by available, l.sku
      limit    1`
    if (!scarce || scarce.available > 2) return this.order()
    const delta = 8 + Math.floor(this.#random() * 20)
    const command = { type: 'adjust', sku: scarce.sku, delta, trigger: 'SCHEDULED_SYNC', reason: 'delivery' } as const
    await this.#shop.inventory.execute(command, { actor })
  }

  /** Around the price it began with, never far away. */
  async reprice(): Promise<void> {
    const { product, now } = await this.#someProduct()
    if (!now) return
    const factor = 0.85 + this.#random() * 0.3
    const variants = now.variants.map((variant) => {
      const began = product.variants.find(({ sku }) => sku === variant.sku) ?? variant
      return {
        ...variant,
        price: { ...variant.price, amount: Math.max(10, Math.round((began.price.amount * factor) / 10) * 10) },
      }
    })
    await this.#shop.catalog.execute({ type: 'update', productId: product.id, fields: { variants } }, { actor })
  }

  async edit(): Promise<void> {
    const { product, now } = await this.#someProduct()
    if (!now) return
    const tag = this.#among(['new', 'popular', 'sale', 'last-chance'])
    const tags = now.tags.includes(tag) ? now.tags.filter((one) => one !== tag) : [...now.tags, tag]
    const renamed = this.#random() < 0.4
    const title = now.title === product.title ? `${product.title}, new edition` : product.title
    await this.#shop.catalog.execute(
      { type: 'update', productId: product.id, fields: renamed ? { title } : { tags } },
      { actor },
    )
  }

  /** One to three lines, mostly of one piece; some things sell much better than others. */
  #basket(): Sale['lines'] {
    const lines = new Map<string, number>()
    const size = this.#random() < 0.65 ? 1 : this.#random() < 0.7 ? 2 : 3
    for (let n = 0; n < size; n++) {
      const sku = this.#skus[Math.floor(this.#random() ** 3 * this.#skus.length)] ?? ''
      lines.set(sku, this.#random() < 0.85 ? 1 : 2)
    }
    return Array.from(lines, ([sku, quantity]) => ({ sku, quantity }))
  }

  async #someProduct() {
    const { product } = this.#among(this.#products)
    const [row] = await this.#shop.db<{ state: string }>`
      select state from catalog.products where id = ${product.id} and not deleted`
    return { product, now: row ? (JSON.parse(row.state) as Product) : undefined }
  }

  #among<One>(all: readonly One[]): One {
    return all[Math.floor(this.#random() * all.length)] as One
  }
}

/** Each happening up to its number; orders are what is left. */
const chances = [
  ['restock', 0.1],
  ['reprice', 0.22],
  ['edit', 0.3],
  ['reserve', 0.4],
  ['closeReservation', 0.5],
  ['giveBack', 0.55],
  ['order', 1],
] as const
