/**
 * One process at a time runs a consumer. A process beats; one that stopped beating is taken for dead: its sessions are ended and its consumers
 * claimed under a new epoch. The epoch, checked by every checkpoint, is what proves ownership: a paused process that wakes up can commit nothing.
 */
import { hostname } from 'node:os'
import type { Database } from './database.ts'
import { pause } from './deadline.ts'

/** Milliseconds between beats. */
const BEAT_MS = 400

export interface Claim {
  name: string
  epoch: number
  /** The checkpoint as it was last written. */
  position: number
  /** How many owners it lost in a row. */
  crashes: number
  /** The position of an event that its last owner handled alone and did not survive. */
  killer: number | null
}

export class Membership {
  readonly name: string
  readonly #db: Database
  readonly #standbyMs: number

  constructor(db: Database, name: string, standbyMs: number) {
    this.#db = db
    this.name = name
    this.#standbyMs = standbyMs
  }

  /** Beats, and claims those of the consumers that nobody living owns. */
  async runOnce(wanted: string[]): Promise<Claim[]> {
    await this.#db`
      insert into lockstep.processes (name, beat_at) values (${this.name}, clock_timestamp())
      on conflict (name) do update set beat_at = excluded.beat_at`
    if (wanted.length === 0) return []
    const free = await this.#db<{ name: string; owner: string | null }>`
      select c.name, c.owner
      from   lockstep.consumers c
      left   join lockstep.processes p on p.name = c.owner
      where  c.name = any(${wanted}::text[]) and not c.paused
        and  (c.owner is null or c.owner = ${this.name} or p.beat_at is null
              or p.beat_at < clock_timestamp() - make_interval(secs => ${this.#standbyMs / 1_000}))`
    if (free.length === 0) return []
    const stale = [...new Set(free.map((row) => row.owner).filter((owner) => owner !== null && owner !== this.name))]
    if (stale.length > 0) await this.#end(stale as string[])
    return this.#db<Claim>`
      update lockstep.consumers c
      set    owner = ${this.name}, epoch = c.epoch + 1, crashes = case when c.owner is null then 0 when c.owner = ${this.name} then c.crashes else c.crashes + 1 end,
              updated_at = clock_timestamp()
      from   unnest(${free.map((row) => row.name)}::text[], ${free.map((row) => row.owner)}::text[]) as seen (name, owner)
      where  c.name = seen.name and c.owner is not distinct from seen.owner
      returning c.name, c.epoch, c.position, c.crashes, case when c.trying > c.position then c.trying end as killer`
  }

  /** Ends what a stale process may still have in flight, so that neither its locks nor its half-done work stand in the way. */
  async #end(stale: string[]) {
    await this.#db`
      select pg_terminate_backend(pid) from pg_stat_activity where application_name = any(${stale}::text[])`
    await this.#db`delete from lockstep.processes where name = any(${stale}::text[])`
  }

  /** Beats and claims until the signal; gives everything back at the end. */
  async run(signal: AbortSignal, wanted: () => string[], claimed: (claims: Claim[]) => void): Promise<void> {
    while (!signal.aborted) {
      const claims = await this.runOnce(wanted()).catch(() => [])
      if (claims.length > 0) claimed(claims)
      await pause(BEAT_MS, signal)
    }
  }

  /** Leaves: standbys need not wait for it to go stale. */
  async leave(): Promise<void> {
    await this.#db`update lockstep.consumers set owner = null, crashes = 0 where owner = ${this.name}`
    await this.#db`delete from lockstep.processes where name = ${this.name}`
  }
}

let instances = 0

/** A process's name, also the application name of all its sessions: unique on the database, 63 bytes at most. */
export const processName = () =>
  `lockstep ${hostname().slice(0, 24)} ${process.pid}-${Date.now().toString(36)}-${++instances}`
