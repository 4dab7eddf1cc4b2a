/** What media do by themselves: collect links that are due, tell of products that are complete, sweep what nobody shows. */
import type { Logger } from 'pino'
import { pause } from '../../engine/deadline.ts'
import type { Collector } from './collector.ts'
import type { Teller } from './teller.ts'

export interface WorkParts {
  collector: Collector
  teller: Teller
  sweep(): Promise<unknown>
  /** Products were handed back or finished: their consumer may look again. */
  told(): void
  log: Logger
}

/** Looks at least so often: links of other processes' products, leases that ran out, retries that are due. */
const POLL_MS = 250
const SWEEP_MS = 3_600_000
const RECOVER_MS = 60_000

export class Work {
  readonly #parts: WorkParts
  #wake = new AbortController()

  constructor(parts: WorkParts) {
    this.#parts = parts
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([
      this.#collect(signal),
      this.#again(
        signal,
        'products could not be told of',
        async () => (await this.tellOnce()) > 0 || this.#nudged(signal),
      ),
      this.#every(RECOVER_MS, signal, 'products that wait could not be looked at', () => this.#parts.teller.recover()),
      this.#every(SWEEP_MS, signal, 'unused media could not be removed', () => this.#parts.sweep()),
    ])
  }

  /** Collects what is due and tells of what is complete, one after the other; answers whether it did anything. */
  async runOnce(signal: AbortSignal): Promise<boolean> {
    const begun = await this.#parts.collector.begin(signal)
    await Promise.all(begun)
    return (await this.tellOnce()) > 0 || begun.length > 0
  }

  async tellOnce(): Promise<number> {
    const told = await this.#parts.teller.runOnce()
    if (told > 0) this.#parts.told()
    return told
  }

  /** There may be something to do. */
  nudge(): void {
    const woken = this.#wake
    this.#wake = new AbortController()
    woken.abort()
  }

  async #collect(signal: AbortSignal): Promise<void> {
    const { collector } = this.#parts
    const underWay = new Set<Promise<void>>()
    await this.#again(signal, 'links could not be looked at', async () => {
      const begun = collector.free > 0 ? await collector.begin(signal) : []
      for (const each of begun) {
        const settled = each.finally(() => {
          underWay.delete(settled)
          this.nudge()
        })
        underWay.add(settled)
      }
      if (begun.length === 0) await this.#nudged(signal)
    })
    await Promise.all(underWay)
  }

  async #every(ms: number, signal: AbortSignal, trouble: string, step: () => Promise<unknown>): Promise<void> {
    await this.#again(signal, trouble, async () => {
      await step()
      await pause(ms, signal)
    })
  }

  async #nudged(signal: AbortSignal): Promise<void> {
    await pause(POLL_MS, AbortSignal.any([signal, this.#wake.signal]))
  }

  async #again(signal: AbortSignal, trouble: string, step: () => Promise<unknown>): Promise<void> {
    while (!signal.aborted) {
      try {
        await step()
      } catch (error) {
        if (!signal.aborted) this.#parts.log.warn({ err: error }, `${trouble}; trying again`)
        await pause(1_000, signal)
      }
    }
  }
}
