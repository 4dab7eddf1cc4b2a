/** Tells carts what became of their lines, a page at a time, in one transaction a page: a product in 100,000 carts keeps nobody waiting. */
import type { Logger } from 'pino'
import type { Database } from '../../engine/database.ts'
import { pause } from '../../engine/deadline.ts'
import type { Executor } from '../../engine/executor.ts'
import { finishWork } from '../../engine/unfinished.ts'
import { consumer } from './carts-projection.ts'
import type { CartsCommand } from './decider.ts'
import { type GoodsRow, goodsFrom } from './read.ts'
import type { Goods } from './validation.ts'

const everyMs = 250
/** Carts told in one go. */
const page = 500
/** Products told in turns. */
const turns = 20
/** The pause after a page, as a part of the time it took, so that others get their turn. */
const pausePart = 0.5

const never = new AbortController().signal

interface Telling {
  productId: string
  position: number
  after: string
}

export class Teller {
  readonly #db: Database
  readonly #execute: Executor<CartsCommand>['execute']
  readonly #log: Logger

  constructor(db: Database, execute: Executor<CartsCommand>['execute'], log: Logger) {
    this.#db = db
    this.#execute = execute
    this.#log = log
  }

  /** Two processes that tell at once only do the same thing twice. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        while (!signal.aborted && (await this.runOnce(signal)));
      } catch (error) {
        this.#log.warn({ err: error }, 'carts could not be told of changes; trying again')
      }
      await pause(everyMs, signal)
    }
  }

  /** A page of each product whose turn it is; answers whether anything got on and more may be left. */
  async runOnce(signal: AbortSignal = never): Promise<boolean> {
    const tellings = await this.#db<Telling>`
      select product_id as "productId", position, after_cart as after from carts.tellings order by last_turn limit ${turns}`
    let told = 0
    for (const telling of tellings) {
      const begun = performance.now()
      try {
        await this.#tell(telling)
        told++
      } catch (error) {
        const { productId } = telling
        this.#log.warn({ err: error, productId }, 'carts could not be told of a change; trying again')
        await this.#db`update carts.tellings set last_turn = clock_timestamp() where product_id = ${productId}`
      }
      await pause((performance.now() - begun) * pausePart, signal)
    }
    return told > 0
  }

  async #tell({ productId, position, after }: Telling): Promise<void> {
    const [goods, carts] = await Promise.all([
      this
        .#db<GoodsRow>`select sku, live, available, amount, currency from carts.goods where product_id = ${productId}`,
      this.#db<{ id: string }>`
        select distinct l.cart_id as id
        from   carts.goods g
        cross  join lateral (
               select cart_id from carts.lines where sku = g.sku and cart_id > ${after} order by cart_id limit ${page}
        ) l
        where  g.product_id = ${productId}
        order  by id
        limit  ${page}`,
    ])
    await this.#validate(
      carts.map(({ id }) => id),
      goods.map(goodsFrom),
    )
    if (carts.length === page) {
      await this.#db`
        update carts.tellings set after_cart = ${carts.at(-1)?.id}, last_turn = clock_timestamp()
        where  product_id = ${productId} and position = ${position} and after_cart = ${after}`
      return
    }
    // What changed meanwhile has begun it anew, at a later position.
    await this.#db.begin(async (tx) => {
      const { count } = await tx`delete from carts.tellings where product_id = ${productId} and position = ${position}`
      if (count > 0) await finishWork(tx, consumer, [productId])
    })
  }

  /** Most carts have nothing new to be told, and write nothing. */
  async #validate(cartIds: string[], goods: Goods[]): Promise<void> {
    const told = cartIds.map((cartId) => this.#execute({ type: 'validate', cartId, goods }, { actor: 'system' }))
    await Promise.all(told)
  }
}
