/** The peers' work: a source of items with a payload, and six consumers that each upsert (id, version, payload). */
import { type Projection, projection } from '../src/engine/consumer.ts'
import type { Source } from '../src/engine/decider.ts'

interface Item {
  payload: string
}
type SetItem = { id: string; payload: string }
type ItemSet = { type: 'item.updated'; entity: string; payload: string }

export const items: Source<Item, SetItem, ItemSet> = {
  name: 'items',
  decider: {
    touches: (command) => [command.id],
    decide: (_states, { id, payload }) => ({ facts: [{ type: 'item.updated', entity: id, payload }] }),
    evolve: (_state, fact) => ({ payload: fact.payload }),
    tell: (fact, state) => ({ key: fact.entity, data: { payload: state?.payload } }),
  },
  store: {
    async load(tx, ids, { skipLocked }) {
      const rows = skipLocked
        ? await tx<{ id: string; version: number }>`
            select id, version from items where id = any(${ids}::text[]) order by id for update skip locked`
        : await tx<{ id: string; version: number }>`
            select id, version from items where id = any(${ids}::text[]) order by id for update`
      return {
        states: new Map(rows.map((row) => [row.id, { version: row.version, state: { payload: '' } }])),
        blocked: [],
      }
    },
    save(tx, { states }) {
      const rows = [...states]
      return tx`
        insert into items (id, version, payload)
        select id, version, payload::json
        from   unnest(${rows.map(([id]) => id)}::text[], ${rows.map(([, { version }]) => version)}::bigint[],
                      ${rows.map(([, { state }]) => JSON.stringify(state))}::text[]) as item (id, version, payload)
        on conflict (id) do update set version = excluded.version, payload = excluded.payload`
    },
  },
}

export const sixCopies: Projection[] = [1, 2, 3, 4, 5, 6].map((n) =>
  projection({
    name: `copy-${n}`,
    from: 'now', // measured is following, not reading a long log from its start
    on: ['item.*'],
    async apply(changes, tx) {
      await tx.text(
        `insert into copies_${n} (id, version, payload)
         select * from unnest($1::text[], $2::bigint[], $3::text[])
         on conflict (id) do update set version = excluded.version, payload = excluded.payload where excluded.version > copies_${n}.version`,
        [
          changes.map((change) => change.entity),
          changes.map((change) => change.version),
          changes.map((change) => change.data.payload),
        ],
      )
    },
  }),
)

export const itemService = { name: 'items', schema: new URL('./items-schema/', import.meta.url), consumers: sixCopies }
