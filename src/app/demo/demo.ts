/** The demo: keeps its shop moving like one that is open. */
import { isInfrastructure } from '../../engine/database.ts'
import { pause } from '../../engine/deadline.ts'
import { Rejected } from '../../engine/decider.ts'
import { OutcomeUnknown, Unavailable } from '../../engine/unavailable.ts'
import { Turn } from '../turn.ts'
import { Office } from './office.ts'
import { randomFrom } from './random.ts'
import { Sales } from './sales.ts'
import type { DemoShop, Random } from './shop.ts'
import { Storeroom } from './storeroom.ts'

export interface DemoOptions {
  shop: DemoShop
  /** Milliseconds between two happenings, on average. */
  everyMs?: number
  seed?: number
}

/** What happens in the shop. It only touches the demo's own products and customers, whatever else there is. */
export class Demo {
  readonly #shop: DemoShop
  readonly #everyMs: number
  readonly #random: Random
  /** What may happen, and how often of all that happens; the last takes what is left of one. */
  readonly #happenings: [name: string, share: number, () => Promise<void>][]

  constructor({ shop, everyMs = 700, seed = Date.now() }: DemoOptions) {
    this.#shop = shop
    this.#everyMs = everyMs
    this.#random = randomFrom(seed)
    const sales = new Sales(shop, this.#random)
    const storeroom = new Storeroom(shop, this.#random)
    const office = new Office(shop, this.#random)
    this.#happenings = [
      ['restock', 0.06, () => storeroom.restock()],
      ['announce', 0.02, () => storeroom.announce()],
      ['receive', 0.02, () => storeroom.receive()],
      ['transfer', 0.02, () => storeroom.transfer()],
      ['reprice', 0.08, () => office.reprice()],
      ['edit', 0.06, () => office.edit()],
      ['promote', 0.02, () => office.promote()],
      ['photograph', 0.07, () => office.photograph()],
      ['changeMind', 0.03, () => office.changeMind()],
      ['reserve', 0.05, () => sales.reserve()],
      ['closeReservation', 0.05, () => sales.closeReservation()],
      ['buy', 0.1, () => sales.buy()],
      ['settle', 0.12, () => sales.settle()],
      ['send', 0.1, () => sales.send()],
      ['giveBack', 0.03, () => sales.giveBack()],
      ['order', 1, () => sales.order()],
    ]
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
    let dice = this.#random()
    for (const [name, share, happen] of this.#happenings) {
      dice -= share
      if (dice >= 0) continue
      try {
        await happen()
        return name
      } catch (error) {
        const passing = error instanceof Unavailable || error instanceof OutcomeUnknown || isInfrastructure(error)
        if (passing || error instanceof Rejected) return undefined
        throw error
      }
    }
    return undefined
  }
}
