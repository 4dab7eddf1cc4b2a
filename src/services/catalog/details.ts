/**
 * A product as it is, kept under document B's key (Cache Invalidation Strategy). A change drops it before its writer is answered; of what another
 * process changed this one hears within milliseconds, and answers the product of before until then. A process that is cut off from the log for
 * longer than LOCKSTEP_CACHE_CUT_OFF_SECONDS asks the database, or says that it can't.
 */
import type { Cache } from '../../engine/cache/cache.ts'
import type { Database } from '../../engine/database.ts'
import type { Engine } from '../../engine/service.ts'
import { productEntity } from './product.ts'
import { type ProductText, readProduct } from './read.ts'

/** B leaves it open, since a change deletes the key; as long as answers of the search (D, Service Configuration: DEFAULT_TTL). */
const detailSeconds = 300

/** B's key; beside an entry's value stand the generations of its tags, since a slow reader may put back what a change has deleted. */
export const detailKey = (productId: string) => `product:${productId}`

/** Their keys would be those of the sync status of other products (A, §14): they are read as ever. */
const unkept = (productId: string) => productId.startsWith('sync:')

/** To be told of each write before its caller is; answers what it was told. */
export type Written = <Done extends { versions: Record<string, number> }>(done: Done) => Done

export class Details {
  readonly #db: Database
  readonly #cache: Cache | undefined
  readonly #engine: Pick<Engine, 'observing' | 'observe'>

  /** Without a cache every reader asks the database. */
  constructor(db: Database, engine: Pick<Engine, 'observing' | 'observe'>, cache?: Cache) {
    this.#db = db
    this.#cache = cache
    this.#engine = engine
    // What can't be dropped can't be read either: then every reader asks the database.
    if (cache) engine.observe(['product.*', 'stock.updated'], (events) => this.drop(events.map(({ key }) => key)))
  }

  async read(productId: string): Promise<ProductText | undefined> {
    if (!this.#cache || unkept(productId) || !this.#engine.observing) return readProduct(this.#db, productId)
    return this.#cache.fetch({ key: detailKey(productId), tags: [productId] }, async () => {
      const value = await readProduct(this.#db, productId)
      return { value, seconds: value ? detailSeconds : 0 }
    })
  }

  drop(productIds: string[]): void {
    const ids = [...new Set(productIds)].filter((id) => !unkept(id))
    this.#cache?.drop(ids, ids.map(detailKey)).catch(() => {})
  }

  /** The answer of a write, whose products are dropped: its caller reads what it wrote, though others' commits are yet to be heard of. */
  written<Done extends { versions: Record<string, number> }>(done: Done): Done {
    const prefix = productEntity('')
    this.drop(
      Object.keys(done.versions).flatMap((entity) => (entity.startsWith(prefix) ? [entity.slice(prefix.length)] : [])),
    )
    return done
  }
}
