/** Failures on purpose, to see what a broken consumer looks like: chosen keys of a consumer throw or hang. In this process only, gone with it. */
import { GiveUp } from './verdict.ts'

export interface Fault {
  keys: string[]
  /** `throw` fails at once (and is retried), `give-up` fails for good, `hang` never settles until its deadline. */
  mode: 'throw' | 'give-up' | 'hang'
  error: string
  /** Attempts that fail before it works again; endless when absent. */
  times?: number
}

export class Faults {
  readonly #byConsumer = new Map<string, Fault[]>()

  set(consumer: string, fault: Fault): void {
    this.#byConsumer.set(consumer, [...(this.#byConsumer.get(consumer) ?? []), fault])
  }

  clear(consumer: string): void {
    this.#byConsumer.delete(consumer)
  }

  list(consumer: string): readonly Fault[] {
    return this.#byConsumer.get(consumer) ?? []
  }

  /** Fails if one of the keys is to fail. */
  async strike(consumer: string, keys: Iterable<string>): Promise<void> {
    const faults = this.#byConsumer.get(consumer)
    if (!faults) return
    for (const key of keys) {
      const fault = faults.find((each) => (each.keys.includes(key) || each.keys.includes('*')) && each.times !== 0)
      if (!fault) continue
      if (fault.times !== undefined) fault.times--
      if (fault.mode === 'hang') await new Promise(() => {})
      throw fault.mode === 'give-up' ? new GiveUp(fault.error) : new Error(fault.error)
    }
  }
}
