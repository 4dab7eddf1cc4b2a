/** What one process at a time does, of several on one database: whoever holds a lock of that name. */
import type { Database, Session } from '../engine/database.ts'

/** The lock lives as long as its session: it passes on when its process leaves, dies, or is taken for dead by a standby. */
export class Turn {
  readonly #db: Database
  readonly #name: string
  #session: Session | undefined

  constructor(db: Database, name: string) {
    this.#db = db
    this.#name = name
  }

  /** Asked before each step: is it this process's turn? False, too, while the database can't be reached. */
  async mine(): Promise<boolean> {
    const held = this.#session
    const session = held ?? (await this.#db.reserve().catch(() => undefined))
    if (!session) return false
    try {
      const [row] = held
        ? await session<{ mine: boolean }>`select true as mine`
        : await session<{ mine: boolean }>`select pg_try_advisory_lock(hashtext(${this.#name})) as mine`
      if (row?.mine) this.#session = session
      else session.release()
      return row?.mine ?? false
    } catch (error) {
      session.release(error)
      this.#session = undefined
      return false
    }
  }

  /** Ends the session, and the lock with it. */
  leave(): void {
    this.#session?.release('its lock ends with it')
    this.#session = undefined
  }
}
