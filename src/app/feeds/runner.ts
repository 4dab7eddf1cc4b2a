/** Reads feeds when they are due or asked for, and carries out what no person must look at. One process at a time does, whoever holds the turn. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import { type Database, isInfrastructure } from '../../engine/database.ts'
import { failpoint } from '../../engine/failpoint.ts'
import { Unavailable } from '../../engine/unavailable.ts'
import type { Shop } from '../import/shop.ts'
import { Turn } from '../turn.ts'
import { type Feed, nextAfter } from './definition.ts'
import { feedOf, tryAgain } from './feeds.ts'
import type { Change, Work } from './kinds/kind.ts'
import { kinds } from './kinds.ts'
import { readFeed } from './reading.ts'
import {
  beginReading,
  type Ending,
  endApplying,
  endReading,
  forgetOld,
  getRun,
  markDone,
  nextRun,
  openChanges,
  type Run,
  TakenOver,
} from './runs.ts'
import type { SourceLimits } from './source.ts'
import { shownRun } from './views.ts'

/** Looks at least so often. */
const everyMs = 1_000
/** Changes carried out at once, and then marked. */
const page = 500
/** A run whose reading ended so often with its process is given up. */
const attemptsMax = 5

export class FeedRunner {
  readonly #db: Database
  readonly #shop: Shop
  readonly #limits: SourceLimits
  readonly #log: Logger
  readonly #turn: Turn
  #wake = new AbortController()

  constructor(shop: Shop & { db: Database }, limits: SourceLimits, log: Logger) {
    this.#db = shop.db
    this.#shop = shop
    this.#limits = limits
    this.#log = log
    this.#turn = new Turn(shop.db, 'lockstep feeds')
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = new AbortController()
      try {
        while (await this.step(signal));
      } catch (error) {
        if (!signal.aborted) this.#log.warn({ err: error }, 'feeds stand still; trying again')
      }
      await pause(everyMs, undefined, { signal: AbortSignal.any([signal, this.#wake.signal]) }).catch(() => {})
    }
    this.leave()
  }

  /** There may be something to do. */
  nudge(): void {
    this.#wake.abort()
  }

  /** Gives the turn to others. */
  leave(): void {
    this.#turn.leave()
  }

  /** Starts what is due and works on one run, if it is this process's turn. Answers whether there may be more. */
  async step(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted || !(await this.#turn.mine())) return false
    await this.runDue()
    const run = await nextRun(this.#db)
    if (!run) return false
    try {
      const feed = await feedOf(this.#db, run.feed)
      if (run.status === 'applying') await this.#apply(run, feed, signal)
      else await this.#read(run, feed, signal)
    } catch (error) {
      if (error instanceof TakenOver) return true
      if (signal.aborted) return false
      // What the database or the network to it is to blame for is tried again; a run that can't go on is not.
      if (isInfrastructure(error) || error instanceof Unavailable) throw error
      this.#log.warn({ err: error, feed: run.feed, run: run.id }, 'a feed run failed')
      await this.#db`
        update feeds.runs set status = 'failed', error = ${(error as Error).message.slice(0, 1_000)}, finished_at = statement_timestamp()
        where  id = ${run.id} and status in ('queued', 'reading', 'applying') and attempt <= ${run.attempt + 1}`
      await tryAgain(this.#db, run.feed)
    }
    return true
  }

  /** One run for each that is due, however many processes look and however many ticks were missed. */
  async runDue(): Promise<void> {
    const due = await this.#db<{ name: string; definition: string; now: Date }>`
      select name, definition, statement_timestamp() as now from feeds.feeds where next_at <= statement_timestamp() limit 100`
    for (const { name, definition, now } of due) {
      const next = nextAfter(JSON.parse(definition) as Feed, now)
      await this.#db`
        with mine as (
          update feeds.feeds set next_at = ${next} where name = ${name} and next_at <= statement_timestamp() returning name
        )
        insert into feeds.runs (feed, status, origin)
        select name, 'queued', 'schedule' from mine
        on conflict do nothing`
    }
    await this
      .#db`delete from feeds.runs where status = 'uploading' and created_at < statement_timestamp() - interval '1 hour'`
  }

  async #read(run: Run, feed: Feed, signal: AbortSignal): Promise<void> {
    const { attempt, asOf } = await beginReading(this.#db, run.id)
    const begun = { ...run, attempt }
    if (attempt > attemptsMax) {
      const error = `its reading ended ${attemptsMax} times before it was through`
      return this.#end(begun, { status: 'failed', error })
    }
    const ending = await readFeed({
      db: this.#db,
      work: this.#workOn(run, feed, asOf),
      run: begun,
      limits: this.#limits,
      signal,
    })
    await this.#end(begun, ending)
  }

  async #end(run: Run, ending: Ending): Promise<void> {
    await endReading(this.#db, run, ending)
    const { status, reasons, error } = ending
    const about = { feed: run.feed, run: run.id }
    if (status === 'held') this.#log.warn({ ...about, reasons }, 'a feed is held: somebody must look')
    if (status === 'failed') this.#log.warn({ ...about, error }, 'a feed could not be read')
    if (status === 'unchanged' || status === 'failed') await forgetOld(this.#db, run.feed)
  }

  async #apply(run: Run, feed: Feed, signal: AbortSignal): Promise<void> {
    const work = this.#workOn(run, feed, run.asOf ?? run.createdAt)
    const { apply } = kinds[feed.kind]
    for (let after = 0; ; ) {
      const changes = await openChanges(this.#db, run.id, after, page)
      if (changes.length === 0) break
      signal.throwIfAborted()
      const errors = await apply(changes, work)
      failpoint('feed-applied')
      await markDone(
        this.#db,
        run.id,
        changes.map(({ n }, at) => ({ n, error: errors[at] })),
      )
      failpoint('feed-marked')
      after = changes.at(-1)?.n ?? after
    }
    await endApplying(this.#db, run)
    // B, Flow 3, step 4.
    const { counts, asOf } = shownRun(await getRun(this.#db, run.id))
    this.#log.info({ feed: feed.name, run: run.id, asOf, counts }, 'a feed is carried out')
  }

  #workOn(run: Run, feed: Feed, asOf: Date): Work {
    const correlationId = `feed-run-${run.id}`
    return {
      shop: this.#shop,
      feed,
      runId: run.id,
      asOf: asOf.toISOString(),
      columns: run.columns,
      options({ n }: Change<never>, attempt = 1) {
        const key = `${correlationId}/${n}${attempt > 1 ? `/${attempt}` : ''}`
        return { key, fingerprint: key, actor: `feed ${feed.name}`, correlationId }
      },
    }
  }
}
