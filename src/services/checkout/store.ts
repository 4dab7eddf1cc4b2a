/** Where checkouts are kept. */
import { isDeepStrictEqual } from 'node:util'
import { numbers, texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { Changed, EntityId, Source, Store, Versioned } from '../../engine/decider.ts'
import {
  type CheckoutCommand,
  type CheckoutFact,
  type CheckoutRules,
  type CheckoutState,
  checkoutDecider,
  checkoutDefaults,
  checkoutEntity,
} from './decider.ts'

const idOf = (entity: EntityId) => entity.slice(checkoutEntity('').length)

const checkoutStore: Store<CheckoutState, CheckoutFact> = {
  async load(tx, ids, { skipLocked }) {
    type Row = { id: string; version: number; state: string }
    const asked = texts(ids.map(idOf))
    const [rows, there] = await Promise.all([
      skipLocked
        ? tx<Row>`
            select id, version, state
            from   checkout.checkouts
            where  id = any(string_to_array(${asked}, chr(30)))
            order  by id
            for    update skip locked`
        : tx<Row>`
            select id, version, state
            from   checkout.checkouts
            where  id = any(string_to_array(${asked}, chr(30)))
            order  by id
            for    update`,
      skipLocked
        ? tx<{ id: string }>`select id from checkout.checkouts where id = any(string_to_array(${asked}, chr(30)))`
        : [],
    ])
    const states = new Map(
      rows.map(({ id, version, state }): [EntityId, Versioned<CheckoutState>] => [
        checkoutEntity(id),
        { version, state: JSON.parse(state) },
      ]),
    )
    return { states, blocked: there.map(({ id }) => checkoutEntity(id)).filter((entity) => !states.has(entity)) }
  },
  /** Without a new version only the try changes, and its time. */
  same({ checkout: a }, { checkout: b }) {
    return a.updatedAt === b.updatedAt && isDeepStrictEqual(a.steps, b.steps)
  },

  // Moved first: a cart whose checkout went back may be in its next one within a batch.
  save: (tx, changed) => Promise.all([updateMoved(tx, changed), insertStarted(tx, changed)]),
}

/** Checkouts as a source, to stand beside those of carts, stock and orders. */
export const checkoutSource = (
  rules: Partial<CheckoutRules> = {},
): Source<CheckoutState, CheckoutCommand, CheckoutFact> => ({
  name: 'checkout',
  entities: ['checkout'],
  decider: checkoutDecider({ ...checkoutDefaults, ...rules }),
  store: checkoutStore,
})

interface Row {
  version: number
  state: CheckoutState
  /** Left out: as before. */
  dueAt?: string | null | undefined
}

/** The last word of a batch on each checkout. */
function rowsOf({ states, facts }: Changed<CheckoutState, CheckoutFact>, started: boolean): Row[] {
  const fresh = new Set(facts.flatMap(({ fact }) => (fact.type === 'checkout.started' ? [fact.entity] : [])))
  const due = new Map<EntityId, string | null | undefined>()
  for (const { fact } of facts) due.set(fact.entity, 'dueAt' in fact ? fact.dueAt : due.get(fact.entity))
  return [...due].flatMap(([entity, dueAt]) => {
    if (fresh.has(entity) !== started) return []
    const { version, state } = states.get(entity) as Versioned<CheckoutState>
    return { version, state: state as CheckoutState, dueAt }
  })
}

function insertStarted(tx: Sql, changed: Changed<CheckoutState, CheckoutFact>) {
  const rows = rowsOf(changed, true)
  if (rows.length === 0) return undefined
  return tx`
    insert into checkout.checkouts (id, version, status, stuck, cart_id, due_at, state)
    select id, version, status, stuck, cart_id, due_at, state::json
    from   unnest(string_to_array(${texts(rows.map(({ state }) => state.checkout.id))}, chr(30)),
                  ${numbers(rows.map(({ version }) => version))}::bigint[],
                  string_to_array(${texts(rows.map(({ state }) => state.checkout.status))}, chr(30)),
                  ${rows.map(({ state }) => state.checkout.stuck)}::boolean[],
                  ${rows.map(({ state }) => state.checkout.cartId)}::text[],
                  ${rows.map(({ dueAt }) => dueAt)}::timestamptz[],
                  string_to_array(${texts(rows.map(({ state }) => JSON.stringify(state)))}, chr(30)))
           as started (id, version, status, stuck, cart_id, due_at, state)`
}

/** Going forward changes no indexed column, so that Postgres needs no new index entries (HOT). */
function updateMoved(tx: Sql, changed: Changed<CheckoutState, CheckoutFact>) {
  const rows = rowsOf(changed, false)
  if (rows.length === 0) return undefined
  return tx`
    update checkout.checkouts c
    set    version = moved.version,
           status  = moved.status,
           stuck   = moved.stuck,
           due_at  = case when moved.stays then c.due_at else moved.due_at end,
           state   = moved.state::json
    from   unnest(string_to_array(${texts(rows.map(({ state }) => state.checkout.id))}, chr(30)),
                  ${numbers(rows.map(({ version }) => version))}::bigint[],
                  string_to_array(${texts(rows.map(({ state }) => state.checkout.status))}, chr(30)),
                  ${rows.map(({ state }) => state.checkout.stuck)}::boolean[],
                  ${rows.map(({ dueAt }) => dueAt === undefined)}::boolean[],
                  ${rows.map(({ dueAt }) => dueAt)}::timestamptz[],
                  string_to_array(${texts(rows.map(({ state }) => JSON.stringify(state)))}, chr(30)))
           as moved (id, version, status, stuck, stays, due_at, state)
    where  c.id = moved.id`
}
