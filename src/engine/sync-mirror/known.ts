/** What the mirror knows of keys that are not done everywhere: which events they wait for, and what was written of them. */
import { matches } from '../event.ts'
import { byPosition, type Checkpoint, type Statuses } from './statuses.ts'

/** Waiting keys looked at in a turn, beside those that are new. */
const KEYS_MAX = 1_000
/** Keys remembered; others that are open are found again in Redis. */
const REMEMBERED_MAX = 20_000

interface Entry {
  /** By consumer, the position of the last event that concerns it. */
  needed: Map<string, number>
  /** Consumers concerned by events that are not written yet. */
  fresh: Set<string>
  /** Undefined until it was. */
  written: string | undefined
  /** Is all that consumers have yet to come to in `needed`? */
  certain: boolean
}

export class Known {
  readonly #entries = new Map<string, Entry>()
  /** Events up to here may concern keys without their being known. */
  #sure: number
  #slowest = 0
  #last = 0
  #checkpoints = new Map<string, number>()
  /** Consumers by the type of an event, and the patterns that say so. */
  #concerned = new Map<string, string[]>()
  #patterns = ''

  constructor(position: number) {
    this.#sure = position
  }

  get size(): number {
    return this.#entries.size
  }

  /** Is every consumer past what was not seen: is a key that is not known done everywhere, but for failures? */
  get certain(): boolean {
    return this.#slowest >= this.#sure
  }

  isCertain(key: string): boolean {
    return this.#entries.get(key)?.certain ?? false
  }

  learn(checkpoints: Checkpoint[], events: { position: number; key: string; type: string }[]): void {
    const patterns = JSON.stringify(checkpoints.map(({ name, patterns }) => [name, patterns]))
    if (patterns !== this.#patterns) this.#concerned = new Map()
    this.#patterns = patterns
    this.#slowest = Math.min(...checkpoints.map(({ position }) => position))
    // One that was set back has to come again to what is forgotten here.
    if (checkpoints.some(({ name, position }) => position < (this.#checkpoints.get(name) ?? 0))) this.#sure = this.#last
    this.#checkpoints = new Map(checkpoints.map(({ name, position }) => [name, position]))
    for (const { position, key, type } of events) {
      const entry = this.#entries.get(key) ?? this.#add(key, this.certain)
      for (const name of this.#concernedBy(type, checkpoints)) {
        entry.needed.set(name, position)
        entry.fresh.add(name)
      }
      entry.written = undefined
      this.#last = position
    }
  }

  /** It may not be in Redis as it is: it is looked up and written. */
  suspect(key: string): void {
    const entry = this.#entries.get(key) ?? this.#add(key, this.certain)
    entry.written = undefined
  }

  /** Those to be written, and as many that wait as there is room for, the longest waiting first. */
  turn(): string[] {
    const keys: string[] = []
    const waiting: [string, Entry][] = []
    for (const [key, entry] of this.#entries) {
      if (entry.written === undefined) keys.push(key)
      else if (waiting.length < KEYS_MAX) waiting.push([key, entry])
    }
    for (const [key, entry] of waiting) {
      this.#entries.delete(key)
      this.#entries.set(key, entry)
      keys.push(key)
    }
    return keys
  }

  /** What the log has for the keys. */
  found(keys: string[], needed: { key: string; consumer: string; position: number }[]): void {
    for (const { key, consumer, position } of needed) {
      const of = this.#entries.get(key)?.needed
      of?.set(consumer, Math.max(position, of.get(consumer) ?? 0))
    }
    for (const key of keys) {
      const entry = this.#entries.get(key)
      if (entry) entry.certain = true
    }
  }

  byPosition(key: string, checkpoints: Checkpoint[]): Statuses {
    return byPosition(this.#entries.get(key)?.needed, checkpoints)
  }

  /** Answers for which consumers there is something new; undefined when it stands as it was written. Forgets what waits for nothing but a person. */
  written(key: string, statuses: Statuses, checkpoints: Checkpoint[]): Set<string> | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    const said = JSON.stringify([...statuses])
    const { fresh, written } = entry
    entry.fresh = new Set()
    entry.written = said
    // What failed for good may have newer events to come to.
    const states = [...statuses.values(), ...byPosition(entry.needed, checkpoints).values()]
    if (!states.some((status) => status === 'pending' || status === 'retrying')) this.#entries.delete(key)
    return said === written ? undefined : fresh
  }

  /** Forgets the longest waiting when there are too many; events up to the position may then concern what is not known. */
  bound(position: number): void {
    for (const key of this.#entries.keys()) {
      if (this.#entries.size <= REMEMBERED_MAX) return
      this.#entries.delete(key)
      this.#sure = position
    }
  }

  #add(key: string, certain: boolean): Entry {
    const entry: Entry = { needed: new Map(), fresh: new Set(), written: undefined, certain }
    this.#entries.set(key, entry)
    return entry
  }

  #concernedBy(type: string, checkpoints: Checkpoint[]): string[] {
    let names = this.#concerned.get(type)
    if (!names) {
      names = checkpoints.filter(({ patterns }) => patterns.some((each) => matches(each, type))).map(({ name }) => name)
      this.#concerned.set(type, names)
    }
    return names
  }
}
