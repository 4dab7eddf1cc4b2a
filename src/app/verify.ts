/** Proves what must always hold, with one query a rule: the log without a hole, states as their events say, projections as their sources. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Database, Sql } from '../engine/database.ts'
import { type Finding, MOST_FINDINGS } from '../engine/finding.ts'
import type { Service } from '../engine/service.ts'

/** Milliseconds after which a statement that goes on is cancelled once more. */
const CANCEL_AGAIN_MS = 50

export interface Rule {
  name: string
  check(db: Sql): Promise<Finding[]>
}

/** A service may prove its own tables. */
export type Verifiable = Service<never> & { verify?(db: Sql): Promise<Finding[]> }

export function rules(services: readonly Verifiable[], served: readonly string[]): Rule[] {
  const own = services.flatMap(({ name, verify }): Rule[] =>
    verify ? [{ name: `${name}: its tables agree with each other and with the log`, check: verify }] : [],
  )
  const followers = projections.filter(({ consumer }) => served.includes(consumer))
  return [logWithoutHoles, versionsWithoutGaps, catalogAsItsEvents, ...own, ...followers.map(projectionAsCatalog)]
}

export async function verify(
  db: Database,
  all: readonly Rule[],
  each: (rule: Rule, found: Finding[], ms: number) => void,
  signal?: AbortSignal,
) {
  const findings: Finding[] = []
  for (const rule of all) {
    signal?.throwIfAborted()
    const begun = performance.now()
    // A snapshot: what is written meanwhile is no finding.
    const found = await db.begin(async (tx) => {
      await tx`set transaction isolation level repeatable read, read only`
      const [row] = await tx<{ pid: number }>`select pg_backend_pid() as pid`
      return cancellable(db, row?.pid ?? 0, signal, () => rule.check(tx))
    })
    each(rule, found, performance.now() - begun)
    findings.push(...found)
  }
  return findings
}

/** When the signal fires, the statement that a session runs is cancelled from another one, and the work ends with the signal's reason. */
async function cancellable<Result>(
  db: Database,
  pid: number,
  signal: AbortSignal | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  let over = false
  let cancelling: Promise<void> | undefined
  const cancel = async () => {
    // Once more, should it have come between two statements.
    while (!over) {
      await db`select pg_cancel_backend(${pid})`.catch(() => {})
      await pause(CANCEL_AGAIN_MS)
    }
  }
  const aborted = () => (cancelling = cancel())
  signal?.throwIfAborted()
  signal?.addEventListener('abort', aborted)
  try {
    return await work()
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    over = true
    signal?.removeEventListener('abort', aborted)
    await cancelling
  }
}

const finding = (rule: string, rows: { what: string; detail: string }[]): Finding[] =>
  rows.map(({ what, detail }) => ({ rule, what, detail }))

const logWithoutHoles: Rule = {
  name: 'log: no position missing',
  async check(db) {
    const rows = await db<{ what: string; detail: string }>`
      with seen as (
        select e.position, lag(e.position) over (order by e.position) as before from lockstep.events e
      )
      select 'position ' || (coalesce(before, 0) + 1) as what, 'missing up to ' || (s.position - 1) as detail from seen s, lockstep.thinned t
      where  s.position <> coalesce(before, 0) + 1 and s.position > t.position + 1
      union all
      select 'the head', 'says ' || h.position || ', the last event is ' || coalesce((select max(position) from lockstep.events), 0)
      from   lockstep.head h
      where  h.position <> coalesce((select max(position) from lockstep.events), 0)
      limit  ${MOST_FINDINGS}`
    return finding(this.name, rows)
  },
}

/** Behind the part of the log that retention has thinned; an entity's versions begin anywhere there, but then they are without gap. */
const versionsWithoutGaps: Rule = {
  name: 'log: versions of an entity without gap, in order',
  async check(db) {
    const rows = await db<{ what: string; detail: string }>`
      with seen as (
        select entity, version, position, lag(version) over (partition by entity order by position) as before from lockstep.events
        where  position > (select position from lockstep.thinned)
      )
      select entity || '@' || version as what, 'at position ' || position || ' follows version ' || before as detail
      from   seen
      where  version <> before + 1
      limit  ${MOST_FINDINGS}`
    return finding(this.name, rows)
  },
}

const catalogAsItsEvents: Rule = {
  name: 'catalog: every product is at its last event',
  async check(db) {
    const rows = await db<{ what: string; detail: string }>`
      with last as (
        select entity, max(version) as version from lockstep.events where entity like 'product/%' group by entity
      )
      select coalesce('product/' || p.id, last.entity) as what,
             'the state is at ' || coalesce(p.version::text, 'nothing') || ', the log at ' || coalesce(last.version::text, 'nothing') as detail
      from   last
      full   join catalog.products p on last.entity = 'product/' || p.id
      where  p.version is distinct from last.version
      limit  ${MOST_FINDINGS}`
    return finding(this.name, rows)
  },
}

const projections = [
  { consumer: 'search', rows: 'search.products' },
  { consumer: 'collections', rows: 'collections.products' },
  { consumer: 'seo', rows: 'seo.pages' },
  { consumer: 'storefront', rows: 'storefront.products' },
] as const

/** Only what the consumer has had its turn with: neither behind its checkpoint nor among its failures, which are known and have a reason. */
function projectionAsCatalog({ consumer, rows }: (typeof projections)[number]): Rule {
  const name = `${consumer}: every product at the catalog’s version`
  return {
    name,
    async check(db) {
      const found = await db.text<{ what: string; detail: string }>(
        `select coalesce(p.id, r.product_id) as what,
                case when p.id is null then 'orphaned: the catalog has no such product'
                     when r.product_id is null then 'missing: the catalog has version ' || p.version
                     when r.version < p.version then 'stale: at version ' || r.version || ', the catalog at ' || p.version
                     else 'ahead: at version ' || r.version || ', the catalog at ' || p.version end as detail
         from   catalog.products p
         full   join ${rows} r on r.product_id = p.id
         where  r.version is distinct from p.version
           and  not (p.deleted and r.product_id is null)
           and  not exists (select from lockstep.failures f where f.consumer = $1 and f.key = coalesce(p.id, r.product_id))
           and  not exists (
                  select from lockstep.events e, lockstep.consumers c
                  where  c.name = $1 and e.key = coalesce(p.id, r.product_id) and e.position > c.position and e.type like 'product.%')
         limit  ${MOST_FINDINGS}`,
        [consumer],
      )
      return finding(name, found)
    },
  }
}
