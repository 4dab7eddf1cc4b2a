/** Tells those who follow carts what happens to them: as this process hears of it, and otherwise from the log. */
import type { ServerResponse } from 'node:http'
import type { Database } from '../../engine/database.ts'
import type { Data, LoggedEvent } from '../../engine/event.ts'
import { Unavailable } from '../../engine/unavailable.ts'
import { type CartsFact, cartEntity } from './decider.ts'
import { Follower, type Told } from './follower.ts'
import { readCart, standing } from './read.ts'

const HEARTBEAT_MS = 15_000
/** Events read in one go. */
const PAGE = 50

export class LiveCarts {
  readonly #db: Database
  readonly #max: number
  /** By the cart's entity. */
  readonly #followers = new Map<string, Set<Follower>>()
  #count = 0
  #beating: NodeJS.Timeout | undefined
  #closed = false

  constructor(db: Database, max: number) {
    this.#db = db
    this.#max = max
  }

  get followers(): number {
    return this.#count
  }

  /** Throws `unavailable` when there are too many, or everything is about to stop. */
  admit(): void {
    if (this.#closed) throw new Unavailable('the server is stopping')
    if (this.#count >= this.#max)
      throw new Unavailable('as many as there may be follow carts already', { limit: this.#max }, 5)
  }

  /** First how the cart stands, or what happened to it since; then what happens. */
  follow(response: ServerResponse, cartId: string, since: number | undefined): Promise<void> {
    const entity = cartEntity(cartId)
    const source = { after: (version: number) => this.#after(entity, version), now: () => this.#now(cartId) }
    const follower = new Follower(response, source, since)
    const others = this.#followers.get(entity) ?? new Set()
    this.#followers.set(entity, others.add(follower))
    this.#count++
    follower.onEnd(() => {
      this.#count--
      others.delete(follower)
      if (others.size === 0 && this.#followers.get(entity) === others) this.#followers.delete(entity)
    })
    this.#beating ??= setInterval(() => void this.beat(), HEARTBEAT_MS).unref()
    return follower.catchUp()
  }

  heard(events: LoggedEvent[]): void {
    if (this.#count === 0) return
    for (const event of events) {
      const followers = this.#followers.get(event.entity)
      if (!followers) continue
      const told = toldOf(event)
      for (const follower of followers) follower.heard(told)
    }
  }

  /** Also looks, for all at once, whether anything was not heard of: before a process follows the log it hears nothing. */
  async beat(): Promise<void> {
    if (this.#count === 0) return
    const all = [...this.#followers.values()].flatMap((followers) => [...followers])
    for (const follower of all) follower.beat()
    const rows = await this.#db<{ entity: string; version: number }>`
      select 'cart/' || id as entity, version
      from   carts.carts
      where  id = any(${[...this.#followers.keys()].map((entity) => entity.slice(cartEntity('').length))}::text[])`.catch(
      () => [],
    )
    for (const { entity, version } of rows) {
      for (const follower of this.#followers.get(entity) ?? []) if (follower.seen < version) void follower.catchUp()
    }
  }

  /** Ends all of them and takes no more. */
  close(): void {
    this.#closed = true
    clearInterval(this.#beating)
    for (const followers of [...this.#followers.values()]) for (const follower of [...followers]) follower.end()
  }

  async #after(entity: string, version: number): Promise<Told[]> {
    const rows = await this.#db<{ type: string; version: number; data: string }>`
      select type, version, data
      from   lockstep.events
      where  key = ${entity} and entity = ${entity} and version > ${version}
      order  by version
      limit  ${PAGE}`
    return rows.map((row) => toldOf({ type: row.type, version: row.version, data: JSON.parse(row.data) }))
  }

  async #now(cartId: string): Promise<Told | undefined> {
    const cart = await readCart(this.#db, cartId)
    return cart && { version: cart.version, event: 'cart', data: cart }
  }
}

/** The cart as the event left it, which SKUs' lines are not as they were, and why its checkout failed. */
function toldOf({ type, version, data }: { type: string; version: number; data: Data }): Told {
  const {
    cart,
    skus = [],
    merged,
    failure,
  } = data as Pick<CartsFact, 'cart' | 'merged' | 'failure'> & { skus?: string[] }
  const more = { ...(merged && { merged }), ...(failure && { failure }) }
  return { version, event: type, data: { ...cart, ...standing(cart), version, skus, ...more } }
}
