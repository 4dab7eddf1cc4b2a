/** Looks at products anew for a changed definition, some at a time. Killed at any instant it goes on where the last commit was. */
import { setTimeout as pause } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { Database, Sql } from '../../engine/database.ts'
import type { Bind } from './condition.ts'
import { alone, type Move, move } from './membership.ts'
import { type Rule, ruleSql } from './rule.ts'

/** Looks at least so often whether another process left something. */
const everyMs = 1_000
/** Products in a transaction: the projection waits for it, some 50 ms. */
const chunk = 1_000
/** The pause after a chunk, as a part of the time it took. */
const pausePart = 0.3

interface Evaluation {
  collection_id: string
  scope: string[] | null
  after: string
  done: number
  total: number | null
  rule: Rule | null
  picks: string[]
  deleted: boolean
}

/** Any number of processes may run one: each chunk is one's, and a newer definition begins anew whatever was being done for the old. */
export class Evaluator {
  readonly #db: Database
  readonly #log: Logger
  #wake = new AbortController()

  constructor(db: Database, log: Logger) {
    this.#db = db
    this.#log = log
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#wake = new AbortController()
      try {
        for (let more = true; more && !signal.aborted; ) {
          const begun = performance.now()
          more = await this.runOnce()
          if (more) await pause((performance.now() - begun) * pausePart)
        }
        const woken = AbortSignal.any([signal, this.#wake.signal])
        await pause(everyMs, undefined, { signal: woken }).catch(() => {})
      } catch (error) {
        this.#log.warn({ err: error }, 'a collection could not be evaluated; trying again')
        await pause(everyMs, undefined, { signal }).catch(() => {})
      }
    }
  }

  /** There may be something to do. */
  nudge(): void {
    this.#wake.abort()
  }

  /** Does a chunk of one evaluation; answers whether there was anything to do. */
  runOnce(): Promise<boolean> {
    return this.#db.begin(async (tx) => {
      const [evaluation] = await tx<Evaluation>`
        select e.collection_id, e.scope, e.after, e.done, e.total, c.rule, c.picks, c.deleted
          from collections.evaluations e join collections.collections c on c.id = e.collection_id
         order by e.scope is null, e.done
         limit 1
           for update of e skip locked`
      if (!evaluation) return false
      await alone(tx)
      const { moves, looked, last } = await look(evaluation, tx)
      await Promise.all([progress(evaluation, looked, last, tx), move(moves, tx, () => ({ actor: 'collections' }))])
      return true
    })
  }
}

/** The products behind `after` that are in but do not belong, or belong and are not in. */
async function look(evaluation: Evaluation, tx: Sql) {
  const values: unknown[] = []
  const bind: Bind = (value) => `$${values.push(value)}`
  const { collection_id: collectionId, scope, after, rule, picks, deleted } = evaluation
  const belongs = deleted
    ? 'false'
    : `p.live and (p.product_id = any(${bind(picks)}::text[]) or ${rule === null ? 'false' : `(${ruleSql(rule, bind)})`})`
  const rows = await tx.text<{ product_id: string; belongs: boolean; inside: boolean; looked: number }>(
    `with page as materialized (
       select product_id from collections.products
        where product_id > ${bind(after)} ${scope === null ? '' : `and product_id = any(${bind(scope)}::text[])`}
        order by product_id limit ${chunk}
     ), seen as (
       select p.product_id, ${belongs} as belongs, m.product_id is not null as inside
         from page join collections.askable p using (product_id)
         left join collections.members m on m.collection_id = ${bind(collectionId)} and m.product_id = p.product_id
     )
     select product_id, belongs, inside, (select count(*) from page) as looked from seen
      where belongs <> inside or product_id = (select max(product_id) from page)
      order by product_id`,
    values,
  )
  const moves = rows
    .filter((row) => row.belongs !== row.inside)
    .map((row): Move => ({ collectionId, productId: row.product_id, added: row.belongs }))
  return { moves, looked: rows[0]?.looked ?? 0, last: rows.at(-1)?.product_id ?? after }
}

/** With the last of them it is done; a definition that was deleted keeps its row, for its versions. */
function progress({ collection_id, scope, total, done }: Evaluation, looked: number, last: string, tx: Sql) {
  if (looked < chunk) return tx`delete from collections.evaluations where collection_id = ${collection_id}`
  return tx`
    update collections.evaluations
       set after = ${last}, done = ${done + looked},
           total = coalesce(${total}::bigint, ${scope?.length ?? null}::bigint, (select count(*) from collections.products))
     where collection_id = ${collection_id}`
}
