/** Begins and ends promotions when their time has come, and prices anew what rules and promotions ask for, a little at a time. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Database, Session } from '../../engine/database.ts'
import type { Executor } from '../../engine/executor.ts'
import type { Cause, PricingCommand } from './decider.ts'
import type { Scope } from './rule.ts'

/** Looks at least so often, at the exact moment when a promotion is due. */
const everyMs = 1_000
/** Products looked up in one go. */
const page = 1_000
/** Of these, priced anew at once. Each chunk is awaited, and then some, so that writers and consumers get their turns. */
const chunk = 125
/** The pause after a chunk, as a part of the time it took. */
const pausePart = 0.3

interface Repricing {
  id: number
  subject: string
  cause: string | null
  scope: string
  after: string
}

/** One process at a time works, whoever holds the lock; two at once would only do the same thing twice. */
export class Repricer {
  readonly #db: Database
  readonly #execute: Executor<PricingCommand>['execute']
  readonly #log: Logger
  #session: Session | undefined
  #wake = new AbortController()

  constructor(db: Database, execute: Executor<PricingCommand>['execute'], log: Logger) {
    this.#db = db
    this.#execute = execute
    this.#log = log
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = new AbortController()
      try {
        if (await this.#myTurn()) while (!signal.aborted && (await this.runOnce()));
        await pause(await this.#idleMs(), undefined, { signal: AbortSignal.any([signal, this.#wake.signal]) }).catch(
          () => {},
        )
      } catch (error) {
        this.#log.warn({ err: error }, 'prices could not be made anew; trying again')
        await pause(everyMs, undefined, { signal }).catch(() => {})
      }
    }
    this.#session?.release('its lock ends with it')
    this.#session = undefined
  }

  /** There may be something to do. */
  nudge(): void {
    this.#wake.abort()
  }

  /** Begins and ends what is due and makes a page of each repricing. Answers whether more is left. */
  async runOnce(): Promise<boolean> {
    await this.#observeTime()
    const left = await this
      .#db<Repricing>`select id, subject, cause, scope, after from pricing.repricings order by id limit 20`
    for (const repricing of left) await this.#reprice(repricing)
    return left.length > 0
  }

  async #observeTime(): Promise<void> {
    const due = await this.#db<{ id: string; over: boolean }>`
      select id, ends_at <= clock_timestamp() as over
        from pricing.promotions
       where status = 'scheduled' and starts_at <= clock_timestamp()
          or status = 'running' and ends_at <= clock_timestamp()
       limit 1000`
    await Promise.all(
      due.map(({ id, over }) =>
        this.#execute({ type: over ? 'end-promotion' : 'begin-promotion', id }, { actor: 'system' }),
      ),
    )
  }

  /** Products that can't be priced now, as when somebody outside holds their rows, come again behind the others. */
  async #reprice({ id, subject, cause: because, scope, after }: Repricing): Promise<void> {
    const productIds = await this.#productsIn(JSON.parse(scope) as Scope, after)
    const cause = because === null ? undefined : (JSON.parse(because) as Cause)
    const late: string[] = []
    for (let at = 0; at < productIds.length; at += chunk) {
      const begun = performance.now()
      late.push(...(await this.#priceAnew(productIds.slice(at, at + chunk), cause)))
      await pause((performance.now() - begun) * pausePart)
    }
    if (late.length > 0) {
      await this.#db`
        insert into pricing.repricings (subject, cause, scope)
        values (${subject}, ${because}::json, ${JSON.stringify({ products: late } satisfies Scope)}::json)`
    }
    if (productIds.length < page) await this.#db`delete from pricing.repricings where id = ${id}`
    else await this.#db`update pricing.repricings set after = ${productIds.at(-1)} where id = ${id}`
  }

  /** Answers those that could not be. */
  async #priceAnew(productIds: string[], cause: Cause | undefined): Promise<string[]> {
    const results = await Promise.allSettled(
      productIds.map((productId) => this.#execute({ type: 'reprice', productId, cause }, { actor: 'system' })),
    )
    const late = productIds.filter((_, n) => results[n]?.status === 'rejected')
    const failed = results.find((result) => result.status === 'rejected')
    if (failed)
      this.#log.warn({ err: failed.reason, products: late.length }, 'products could not be priced anew; trying again')
    return late
  }

  /** By what the product's last price was made with: one that comes into the scope later is priced by the rules of then. */
  async #productsIn({ products, categories, tags, vendors }: Scope, after: string): Promise<string[]> {
    const values: unknown[] = [after]
    const conditions = [
      products && `and product_id = any($${values.push(products)}::text[])`,
      categories && `and category = any($${values.push(categories)}::text[])`,
      tags && `and tags && $${values.push(tags)}::text[]`,
      vendors && `and vendor_id = any($${values.push(vendors)}::text[])`,
    ].filter((condition) => condition !== undefined)
    const rows = await this.#db.text<{ product_id: string }>(
      `select product_id from pricing.prices where product_id > $1 ${conditions.join(' ')} order by product_id limit ${page}`,
      values,
    )
    return rows.map((row) => row.product_id)
  }

  async #idleMs(): Promise<number> {
    const [next] = await this.#db<{ ms: number | null }>`
      select (extract(epoch from min(due) - clock_timestamp()) * 1000)::float8 as ms
        from (select min(starts_at) as due from pricing.promotions where status = 'scheduled'
              union all
              select min(ends_at) from pricing.promotions where status = 'running') as boundaries`
    return Math.max(1, Math.min(everyMs, Math.ceil(next?.ms ?? everyMs)))
  }

  async #myTurn(): Promise<boolean> {
    const held = this.#session
    const session = held ?? (await this.#db.reserve())
    try {
      const [row] = held
        ? await session<{ mine: boolean }>`select true as mine`
        : await session<{ mine: boolean }>`select pg_try_advisory_lock(hashtext('lockstep pricing')) as mine`
      if (row?.mine) this.#session = session
      else session.release()
      return row?.mine ?? false
    } catch (error) {
      session.release(error)
      this.#session = undefined
      throw error
    }
  }
}
