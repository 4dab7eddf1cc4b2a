/**
 * Gets what links lead to and has it made into renditions. Links are claimed row by row with a lease, so any number of processes share the work,
 * and what one of them left behind is taken up by another.
 */
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Database } from '../../engine/database.ts'
import { GiveUp, type RetryPolicy, verdict } from '../../engine/verdict.ts'
import { alone, assetOf, readAsset, saveAsset } from './assets.ts'
import { contentOfFile, type Taken } from './content.ts'
import { type FetchOptions, fetchInto } from './fetch.ts'
import { type MediaFiles, ORIGINAL } from './files.ts'
import { CONSUMER } from './follow-catalog.ts'
import { uploadOf } from './link.ts'
import { WIDTH, type Workshop } from './workshop.ts'

export interface CollectorParts {
  db: Database
  files: MediaFiles
  workshop: Workshop
  fetch: FetchOptions
  retry: RetryPolicy
  log: Logger
}

/** Links worked at here at a time: some are fetched while others are in the workshop. */
const LANES = 2 * WIDTH + 4
/** One slow host leaves these to all others. */
const LANES_FOR_OTHERS = 3
/** A link whose lease has run out is taken up by somebody else. */
const LEASE = '30 seconds'
const RENEW_MS = 10_000

interface Claimed {
  id: string
  url: string
  host: string
  attempts: number
}

export class Collector {
  readonly #parts: CollectorParts
  readonly #hosts = new Map<string, number>()
  #underWay = 0

  constructor(parts: CollectorParts) {
    this.#parts = parts
  }

  get free(): number {
    return LANES - this.#underWay
  }

  /** Begins with as many links as are due and there are lanes for. Each promise resolves when its link has become something, or is to be tried again. */
  async begin(signal: AbortSignal, most = this.free): Promise<Promise<void>[]> {
    const busy = [...this.#hosts].flatMap(([host, n]) => (host !== '' && n >= LANES - LANES_FOR_OTHERS ? [host] : []))
    const links = await this.#parts.db<Claimed>`
      update media.links l
         set due_at = clock_timestamp() + ${LEASE}::interval
        from (select id from media.links
               where state = 'wanted' and due_at <= clock_timestamp() and host <> all(${busy}::text[])
               order by due_at
               limit ${most}
                 for update skip locked) c
       where l.id = c.id
      returning l.id, l.url, l.host, l.attempts`
    return links.map((link) => this.#collect(link, signal))
  }

  async #collect(link: Claimed, signal: AbortSignal): Promise<void> {
    const { db, log } = this.#parts
    this.#underWay++
    this.#hosts.set(link.host, (this.#hosts.get(link.host) ?? 0) + 1)
    const renewal = setInterval(() => {
      db`update media.links set due_at = clock_timestamp() + ${LEASE}::interval where id = ${link.id} and state = 'wanted'`.catch(
        () => {},
      )
    }, RENEW_MS)
    try {
      await this.#bring(link, signal).catch((error) => this.#failed(link, error, signal))
    } catch (error) {
      log.warn({ err: error, url: link.url }, 'what became of a link could not be noted; it is tried again')
    } finally {
      clearInterval(renewal)
      this.#underWay--
      const left = (this.#hosts.get(link.host) ?? 1) - 1
      if (left > 0) this.#hosts.set(link.host, left)
      else this.#hosts.delete(link.host)
    }
  }

  async #bring(link: Claimed, signal: AbortSignal): Promise<void> {
    const { db, files, workshop, fetch } = this.#parts
    const draft = await files.draft()
    try {
      const original = join(draft, ORIGINAL)
      const taken = await this.#take(link, draft, original, signal)
      const { hash, kind } = taken
      // Content that is known is not made again, whoever named it by whatever link.
      const known = await readAsset(db, hash)
      const asset =
        known ?? assetOf(taken, await workshop.make({ kind, file: original, folder: draft, limits: fetch.limits }))
      await alone(db, hash, async () => {
        if (!known) await files.keep(hash, draft)
        else if (!(await readAsset(db, hash))) throw new Error('it was removed in this moment')
        await saveAsset(db, asset)
        await db`
          update media.links
             set state = 'ready', hash = ${hash}, failure = null, attempts = 0, changed_at = clock_timestamp()
           where id = ${link.id}`
      })
    } finally {
      await files.discard(draft)
    }
    await this.#toTell(link, false)
  }

  async #take(link: Claimed, draft: string, original: string, signal: AbortSignal): Promise<Taken> {
    const hash = uploadOf(link.url)
    if (hash !== undefined) {
      if (await this.#parts.files.lend(hash, ORIGINAL, draft)) return contentOfFile(original, hash)
      throw new GiveUp('nothing with this content was uploaded')
    }
    if (link.host === '') throw new GiveUp('it is a path of this shop, and only uploads at /media/… are known here')
    return fetchInto(original, link.url, this.#parts.fetch, signal)
  }

  async #failed(link: Claimed, error: unknown, signal: AbortSignal): Promise<void> {
    const { db, retry } = this.#parts
    if (signal.aborted) {
      await db`update media.links set due_at = clock_timestamp() where id = ${link.id} and state = 'wanted'` // it was us who stopped
      return
    }
    const said = (error instanceof Error ? error.message : String(error))
      .replaceAll('\0', '\u{fffd}')
      .toWellFormed()
      .slice(0, 500)
    const next = verdict(error, link.attempts + 1, retry)
    const attempts = link.attempts + (next.dead || next.counts ? 1 : 0)
    await db`
      update media.links
         set state = ${next.dead ? 'failed' : 'wanted'}, attempts = ${attempts}, failure = ${said}, changed_at = clock_timestamp(),
             due_at = clock_timestamp() + ${next.dead ? 0 : next.retryInMs} * interval '1 ms'
       where id = ${link.id} and state = 'wanted'`
    if (next.dead) await this.#toTell(link, true)
  }

  /**
   * Products of the link that have all of theirs by now; of a failure those alone that wait for it. A statement of its own, behind the commit: of two
   * links that become ready together the later one sees both.
   */
  async #toTell({ id }: Claimed, failed: boolean): Promise<void> {
    await this.#parts.db`
      insert into media.untold as u (product_id)
      select w.product_id from media.wanted w
       where w.link_ids @> array[${id}::text]
         and not exists (select from media.links l where l.id = any(w.link_ids) and l.state = 'wanted')
         and (not ${failed} or exists (select from lockstep.unfinished f where f.consumer = ${CONSUMER} and f.key = w.product_id))
      on conflict (product_id) do update set stamp = nextval('media.stamps')`
  }
}
