/**
 * Gets what links lead to and has it made into renditions; looked at again, only what is new is fetched and told. Links are claimed row by row with a lease, so any number of processes share the work,
 * and what one of them left behind is taken up by another.
 */
import { join } from 'node:path'
import type { Logger } from 'pino'
import type { Database } from '../../engine/database.ts'
import { GiveUp, type RetryPolicy, verdict } from '../../engine/verdict.ts'
import { alone, assetOf, readAsset, saveAsset } from './assets.ts'
import { contentOfFile } from './content.ts'
import { type Fetched, type FetchOptions, fetchInto, type Validators } from './fetch.ts'
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
  /** It is ready, and shows what it was whatever comes of this. */
  again: boolean
  hash: string | null
  etag: string | null
  last_modified: string | null
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
               where (state = 'wanted' or again) and due_at <= clock_timestamp() and host <> all(${busy}::text[])
               order by due_at
               limit ${most}
                 for update skip locked) c
       where l.id = c.id
      returning l.id, l.url, l.host, l.attempts, l.again, l.hash, l.etag, l.last_modified`
    return links.map((link) => this.#collect(link, signal))
  }

  async #collect(link: Claimed, signal: AbortSignal): Promise<void> {
    const { db, log } = this.#parts
    this.#underWay++
    this.#hosts.set(link.host, (this.#hosts.get(link.host) ?? 0) + 1)
    const renewal = setInterval(() => {
      db`update media.links set due_at = clock_timestamp() + ${LEASE}::interval where id = ${link.id} and (state = 'wanted' or again)`.catch(
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
      if (!taken) return await this.#unchanged(link)
      const { hash, kind } = taken
      // Content that is known is not made again, whoever named it by whatever link.
      const known = await readAsset(db, hash)
      const asset =
        known ?? assetOf(taken, await workshop.make({ kind, file: original, folder: draft, limits: fetch.limits }))
      await alone(db, hash, async () => {
        if (!known) await files.keep(hash, draft)
        else if (!(await readAsset(db, hash))) throw new Error('it was removed in this moment')
        await saveAsset(db, asset)
        await (link.again ? this.#changed(link, taken, !known || hash !== link.hash) : this.#ready(link, taken))
      })
    } finally {
      await files.discard(draft)
    }
    if (!link.again) await this.#toTell(link, false)
  }

  async #ready({ id }: Claimed, { hash, validators }: Fetched): Promise<void> {
    const { etag = null, lastModified = null }: Partial<Record<keyof Validators, string | null>> = validators
    await this.#parts.db`
      update media.links
         set state = 'ready', hash = ${hash}, etag = ${etag}, last_modified = ${lastModified}, failure = null, attempts = 0,
             changed_at = clock_timestamp(), looked_at = clock_timestamp()
       where id = ${id}`
  }

  /**
   * Whoever shows it is told in the same statement: these products wait for nothing, so nobody would find out later that they were forgotten. One
   * that also waits for another link is told of when that is there.
   */
  async #changed({ id }: Claimed, taken: Fetched, isNew: boolean): Promise<void> {
    const { etag = null, lastModified = null }: Partial<Record<keyof Validators, string | null>> = taken.validators
    await this.#parts.db`
      with looked_at as (
        update media.links
           set hash = ${taken.hash}, etag = ${etag}, last_modified = ${lastModified}, again = false, failure = null, attempts = 0,
               changed_at = case when ${isNew} then clock_timestamp() else changed_at end, looked_at = clock_timestamp()
         where id = ${id} and again
        returning id
      )
      insert into media.untold as u (product_id)
      select w.product_id from media.wanted w
       where ${isNew} and w.link_ids @> array[${id}::text] and exists (select from looked_at)
      on conflict (product_id) do update set stamp = nextval('media.stamps')`
  }

  async #unchanged({ id }: Claimed): Promise<void> {
    await this.#parts.db`
      update media.links set again = false, failure = null, attempts = 0, looked_at = clock_timestamp() where id = ${id} and again`
  }

  /** Undefined for what is still as it was. */
  async #take(link: Claimed, draft: string, original: string, signal: AbortSignal): Promise<Fetched | undefined> {
    const hash = uploadOf(link.url)
    if (hash !== undefined) {
      if (await this.#parts.files.lend(hash, ORIGINAL, draft))
        return { ...(await contentOfFile(original, hash)), validators: {} }
      throw new GiveUp('nothing with this content was uploaded')
    }
    if (link.host === '') throw new GiveUp('it is a path of this shop, and only uploads at /media/… are known here')
    // What was removed or is to be made anew is needed whether it changed or not.
    const known = link.again && link.hash !== null && (await readAsset(this.#parts.db, link.hash)) !== undefined
    const { etag, last_modified: lastModified } = link
    const validators = { ...(etag !== null && { etag }), ...(lastModified !== null && { lastModified }) }
    return fetchInto(original, link.url, this.#parts.fetch, signal, known ? validators : {})
  }

  async #failed(link: Claimed, error: unknown, signal: AbortSignal): Promise<void> {
    const { db, retry } = this.#parts
    if (signal.aborted) {
      await db`update media.links set due_at = clock_timestamp() where id = ${link.id} and (state = 'wanted' or again)` // it was us who stopped
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
         set state = case when again then state when ${next.dead} then 'failed' else 'wanted' end, again = again and not ${next.dead},
             looked_at = case when again and ${next.dead} then clock_timestamp() else looked_at end,
             attempts = ${attempts}, failure = ${said}, changed_at = clock_timestamp(),
             due_at = clock_timestamp() + ${next.dead ? 0 : next.retryInMs} * interval '1 ms'
       where id = ${link.id} and (state = 'wanted' or again)`
    if (next.dead && !link.again) await this.#toTell(link, true)
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
