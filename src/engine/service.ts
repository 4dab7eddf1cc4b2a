/** A service: what one folder of `services/` hands to the program. */
import type { Logger } from 'pino'
import type { Consumer } from './consumer.ts'
import type { Database } from './database.ts'
import type { Fact, Source } from './decider.ts'
import type { LoggedEvent } from './event.ts'
import type { Executor } from './executor.ts'

/** What a service is given to work with. */
export interface Engine {
  db: Database
  log: Logger
  /** Group commit for a source; one executor a source and process. */
  executor<State, Command, F extends Fact>(source: Source<State, Command, F>): Executor<Command>
  /**
   * Calls `seen` in this process for new events of these types, soon after their commit. It is a hint and no delivery: nothing is kept,
   * nothing retried. For caches in memory; everything else is a consumer.
   */
  observe(on: string[], seen: (events: LoggedEvent[]) => void): void
  /** Is whatever commits told to observers? Not before the process has found the log's end, nor while it is cut off from it. */
  readonly observing: boolean
  /** Has consumers of this process look at their failures at once: a key was handed back, or is to be tried again. */
  refresh(consumer?: string): void
}

/** `App` is the HTTP server's type: the engine knows none. */
export interface Service<App = never> {
  name: string
  /** Its folder of numbered SQL files, applied once each in order. */
  schema?: URL
  consumers?: Consumer[]
  routes?(app: App): void
  /** Work of its own beside the log (sweeping, schedules), until the signal. */
  run?(signal: AbortSignal): Promise<void>
}
