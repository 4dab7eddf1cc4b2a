/** Where definitions are kept, and what a changed one leaves to be evaluated. */
import { texts } from '../../engine/columns.ts'
import type { Sql } from '../../engine/database.ts'
import type { EntityId, Store, Versioned } from '../../engine/decider.ts'
import { type CollectionFact, type CollectionState, collectionEntity, type Sort } from './decider.ts'
import type { Rule } from './rule.ts'

export interface CollectionRow {
  id: string
  version: number
  title: string
  description: string
  rule: Rule | null
  sort: Sort
  picks: string[]
  deleted: boolean
  created_at: Date
  updated_at: Date
}

const prefix = collectionEntity('')

export const collectionStore: Store<CollectionState, CollectionFact> = {
  async load(tx, ids, { skipLocked }) {
    const asked = texts(ids.map((id) => id.slice(prefix.length)))
    const [rows, there] = await Promise.all([
      tx.text<CollectionRow>(
        `select id, version, title, description, rule, sort, picks, deleted, created_at, updated_at
           from collections.collections where id = any(string_to_array($1, chr(30))) order by id
            for update ${skipLocked ? 'skip locked' : ''}`,
        [asked],
      ),
      skipLocked
        ? tx<{ id: string }>`select id from collections.collections where id = any(string_to_array(${asked}, chr(30)))`
        : [],
    ])
    const states = new Map<EntityId, Versioned<CollectionState>>()
    for (const row of rows) states.set(collectionEntity(row.id), { version: row.version, state: stateOf(row) })
    const blocked = there.map(({ id }) => collectionEntity(id)).filter((entity) => !states.has(entity))
    return { states, blocked }
  },

  save(tx, { states, facts }) {
    const rows = [...states].map(([, { version, state }]) => ({ version, state: state as CollectionState }))
    const born = new Set(facts.filter(({ version }) => version === 1).map(({ fact }) => fact.entity))
    const [fresh, known] = [true, false].map((isNew) =>
      rows.filter(({ state }) => born.has(collectionEntity(state.id)) === isNew),
    ) as [typeof rows, typeof rows]
    return Promise.all([
      fresh.length > 0 && insert(tx, fresh),
      known.length > 0 && update(tx, known),
      tx`update collections.rulebook set revision = revision + 1`,
      toEvaluate(
        tx,
        facts.map(({ fact }) => fact),
      ),
    ])
  },
}

const stateOf = (row: CollectionRow): CollectionState => ({
  id: row.id,
  title: row.title,
  description: row.description,
  rule: row.rule,
  sort: row.sort,
  productIds: row.picks,
  createdAt: row.created_at.toISOString(),
  updatedAt: row.updated_at.toISOString(),
  deleted: row.deleted,
})

type Row = { version: number; state: CollectionState }

const columnsOf = (rows: Row[]) => texts(rows.map(({ version, state }) => JSON.stringify({ version, ...state })))

/** Plainly: two that did not see each other must not become one with two first versions. */
const insert = (tx: Sql, rows: Row[]) => tx`
  insert into collections.collections (id, version, title, description, rule, sort, picks, deleted, created_at, updated_at)
  select v ->> 'id', (v ->> 'version')::bigint, v ->> 'title', v ->> 'description', nullif(v -> 'rule', 'null'), v ->> 'sort',
         array(select jsonb_array_elements_text(v -> 'productIds')), (v ->> 'deleted')::boolean,
         (v ->> 'createdAt')::timestamptz, (v ->> 'updatedAt')::timestamptz
    from unnest(string_to_array(${columnsOf(rows)}, chr(30))::jsonb[]) as v`

const update = (tx: Sql, rows: Row[]) => tx`
  update collections.collections c
     set version = (v ->> 'version')::bigint, title = v ->> 'title', description = v ->> 'description', rule = nullif(v -> 'rule', 'null'),
         sort = v ->> 'sort', picks = array(select jsonb_array_elements_text(v -> 'productIds')), deleted = (v ->> 'deleted')::boolean,
         created_at = (v ->> 'createdAt')::timestamptz, updated_at = (v ->> 'updatedAt')::timestamptz
    from unnest(string_to_array(${columnsOf(rows)}, chr(30))::jsonb[]) as v
   where c.id = v ->> 'id'`

/** All products for a new rule or an end, from the beginning even if half of them were looked at; those picked or no longer, otherwise. */
function toEvaluate(tx: Sql, facts: CollectionFact[]) {
  const whole = new Set<string>()
  const partly = new Map<string, Set<string>>()
  for (const fact of facts) {
    const { id, rule, productIds } = fact.state
    const changed = (field: string) =>
      fact.type === 'collection.updated' && fact.changes.find((change) => change.field === field)
    const picks = changed('productIds')
    const before = new Set(picks ? (picks.oldValue as string[]) : [])
    const differ = [...before.symmetricDifference(new Set(productIds))]
    if (fact.type === 'collection.deleted' || changed('rule')) whole.add(id)
    else if (fact.type === 'collection.created' && rule !== null) whole.add(id)
    else if (fact.type === 'collection.created' || picks)
      partly.set(id, new Set([...(partly.get(id) ?? []), ...differ]))
  }
  for (const id of whole) partly.delete(id)
  const scopes = [...partly].filter(([, ids]) => ids.size > 0)
  return Promise.all([
    whole.size > 0 &&
      tx`
      insert into collections.evaluations (collection_id)
      select unnest(${[...whole]}::text[])
      on conflict (collection_id) do update set scope = null, after = '', done = 0, total = null`,
    scopes.length > 0 &&
      tx`
      insert into collections.evaluations as e (collection_id, scope)
      select v ->> 'id', array(select jsonb_array_elements_text(v -> 'scope'))
        from unnest(string_to_array(${texts(scopes.map(([id, ids]) => JSON.stringify({ id, scope: [...ids] })))}, chr(30))::jsonb[]) as v
      on conflict (collection_id) do update
      set scope = e.scope || excluded.scope, after = case when e.scope is null then e.after else '' end,
          done = case when e.scope is null then e.done else 0 end, total = case when e.scope is null then e.total end`,
  ])
}
