/** A source small enough to see through: notes with a text. For tests of the engine, which knows nothing of products. */

import { projection, reaction } from '../src/engine/consumer.ts'
import type { Source } from '../src/engine/decider.ts'
import { Rejected } from '../src/engine/decider.ts'
import type { Engine } from '../src/engine/engine.ts'

export interface Note {
  text: string
}
export type WriteNote = { id: string; text: string }
export type NoteWritten = { type: 'note.written'; entity: string; text: string }

export const notes: Source<Note, WriteNote, NoteWritten> = {
  name: 'notes',
  decider: {
    touches: (command) => [`note/${command.id}`],
    decide(_states, command) {
      if (command.text === 'forbidden') throw new Rejected('forbidden-text', { text: command.text })
      return {
        facts: [{ type: 'note.written', entity: `note/${command.id}`, text: command.text }],
        answer: { id: command.id },
      }
    },
    evolve: (_state, fact) => ({ text: fact.text }),
    tell: (fact, state) => ({ key: fact.entity.slice('note/'.length), data: { ...state } }),
  },
  store: {
    async load(tx, ids, { skipLocked }) {
      const [rows, all] = await Promise.all([
        skipLocked
          ? tx<{
              id: string
              version: number
              text: string
            }>`select * from notes where id = any(${ids}::text[]) order by id for update skip locked`
          : tx<{
              id: string
              version: number
              text: string
            }>`select * from notes where id = any(${ids}::text[]) order by id for update`,
        skipLocked ? tx<{ id: string }>`select id from notes where id = any(${ids}::text[])` : [],
      ])
      const states = new Map(rows.map((row) => [row.id, { version: row.version, state: { text: row.text } }]))
      return { states, blocked: all.map((row) => row.id).filter((id) => !states.has(id)) }
    },
    async save(tx, { states, facts }) {
      const born = new Set(facts.flatMap(({ fact, version }) => (version === 1 ? [fact.entity] : [])))
      const [fresh, old] = [[...states].filter(([id]) => born.has(id)), [...states].filter(([id]) => !born.has(id))]
      const columns = (rows: typeof fresh) =>
        [
          rows.map(([id]) => id),
          rows.map(([, { version }]) => version),
          rows.map(([, { state }]) => state?.text),
        ] as const
      const [ids, versions, texts] = columns(fresh)
      const [oldIds, oldVersions, oldTexts] = columns(old)
      await Promise.all([
        // plainly: two processes that create the same note must not both succeed
        tx`
          insert into notes (id, version, text)
          select * from unnest(${ids}::text[], ${versions}::bigint[], ${texts}::text[])`,
        tx`
          update notes n set version = o.version, text = o.text
          from   unnest(${oldIds}::text[], ${oldVersions}::bigint[], ${oldTexts}::text[]) as o (id, version, text)
          where  n.id = o.id`,
      ])
    },
  },
}

const noteSchema = new URL('./notes-schema/', import.meta.url)

/** The source with consumers: `copies` keeps each note's latest text, `diary` writes down every event once. */
export function notesService(engine: Engine) {
  const copies = projection({
    name: 'copies',
    on: ['note.*'],
    async apply(changes, tx) {
      await tx`
        insert into copies (id, version, text)
        select * from unnest(${changes.map((change) => change.entity)}::text[], ${changes.map((change) => change.version)}::bigint[],
                             ${changes.map((change) => change.data.text)}::text[])
        on conflict (id) do update set version = excluded.version, text = excluded.text where excluded.version > copies.version`
    },
    reset: async (tx) => void (await tx`delete from copies`),
  })
  const diary = reaction({
    name: 'diary',
    from: 'start',
    on: {
      'note.written': async (event, { tx }) => {
        await tx`insert into diary (event_id, entity, version) values (${event.id}, ${event.entity}, ${event.version})`
      },
    },
  })
  return { name: 'notes', schema: noteSchema, consumers: [copies, diary], ...engine.executor(notes) }
}
