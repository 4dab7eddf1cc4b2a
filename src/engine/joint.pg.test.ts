import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { type Note, type NoteWritten, notes, notesService, type WriteNote } from '../../test/notes.ts'
import { type TestEngine, testEngine } from '../testing.ts'
import type { Source } from './decider.ts'
import type { Executor } from './executor.ts'
import { type Deed, type Joint, joint, jointSource } from './joint.ts'

type Written = Omit<NoteWritten, 'type'> & { type: 'note.written' | 'mark.written' }
const mine: Source<Note, WriteNote, NoteWritten> = { ...notes, entities: ['note'] }
/** Notes of another kind, kept in the same table. */
const marks = {
  ...notes,
  name: 'marks',
  entities: ['mark'],
  decider: {
    ...notes.decider,
    touches: ({ id }: WriteNote) => [`mark/${id}`],
    decide(states: never, command: WriteNote, now: Date) {
      const decision = notes.decider.decide(states, command, now)
      const facts = (decision.facts ?? []).map(
        (fact): Written => ({ ...fact, type: 'mark.written', entity: `mark/${command.id}` }),
      )
      return { ...decision, facts }
    },
    tell: (fact: Written, state: Note | undefined) => ({ key: fact.entity, data: { ...state } }),
  },
} as unknown as Source<Note, WriteNote, NoteWritten>

let engine: TestEngine
let both: Joint
let alone: Executor<WriteNote>
beforeAll(async () => {
  const { url } = await createTestDatabase()
  const made = await testEngine(url, (to) => [notesService(to)] as const)
  engine = made.engine
  alone = made.services[0]
  both = joint(engine, 'both', [mine, marks])
})
afterAll(() => engine.close())

let names = 0
const name = () => `n${++names}`
const write = (source: Source<Note, WriteNote, NoteWritten>, id: string, text: string): Deed => ({
  source,
  command: { id, text },
})
const together = (deeds: [Deed, ...Deed[]], options = {}) =>
  both.together({ deeds, scope: 'notes', said: deeds.map((deed) => deed.command) }, options)
const eventsOf = (correlationId: string) =>
  engine.db<{ entity: string; version: number; source: string }>`
    select entity, version, source from lockstep.events where meta ->> 'correlationId' = ${correlationId} order by position`

test('each event of a joint command is its owner’s, and all of them commit together', async () => {
  const id = name()
  const { versions } = await together([write(mine, id, 'a'), write(marks, id, 'b')], { correlationId: id })
  expect(versions).toEqual({ [`note/${id}`]: 1, [`mark/${id}`]: 1 })
  expect(await eventsOf(id)).toEqual([
    { entity: `note/${id}`, version: 1, source: 'notes' },
    { entity: `mark/${id}`, version: 1, source: 'marks' },
  ])
})

test('of joint commands sent at once, some of them refused by either part, each has all of its events or none', async () => {
  const part = fc.record({ id: fc.integer({ min: 0, max: 5 }), forbidden: fc.boolean() })
  const command = fc.record({
    own: fc.option(part),
    other: fc.option(part),
    again: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(command, { minLength: 1, maxLength: 12 }), async (commands) => {
      const run = name()
      await Promise.all(
        commands.map(async ({ own, other, again }, n) => {
          const correlationId = `${run}-${n}`
          const given = [
            ...(own ? [{ of: mine, ...own }] : []),
            ...(other ? [{ of: marks, ...other }] : []),
            ...(own && again ? [{ of: mine, ...own, forbidden: false }] : []),
          ]
          const [first, ...rest] = given.map(({ of, id, forbidden }) =>
            write(of, `${run}-${id}`, forbidden ? 'forbidden' : correlationId),
          )
          if (!first) return
          const refused = given.some(({ forbidden }) => forbidden)
          const outcome = together([first, ...rest], { correlationId })
          if (refused) await expect(outcome).rejects.toMatchObject({ code: 'forbidden-text' })
          else await outcome
          expect((await eventsOf(correlationId)).length).toBe(refused ? 0 : given.length)
        }),
      )
      const wrong = await engine.db`
        select n.id from notes n join lockstep.events e on e.entity = n.id
        group by n.id, n.version having max(e.version) <> n.version or count(*) <> n.version`
      expect(wrong).toEqual([])
    }),
    { numRuns: 25 },
  )
})

test('a deed is decided on what the ones before made of its source, and may be completed with what they answered', async () => {
  const id = name()
  let seen: unknown
  const complete = (answers: unknown[]) => {
    seen = [...answers]
    return { id, text: 'third' }
  }
  const { versions, answer } = await both.together({
    scope: 'notes',
    said: id,
    deeds: [write(mine, id, 'first'), write(mine, id, 'second'), { source: marks, command: { id }, complete }],
    answer: (answers) => ({ answers }),
  })
  expect(versions).toEqual({ [`note/${id}`]: 2, [`mark/${id}`]: 1 })
  expect(seen).toEqual([{ id }, { id }])
  expect(answer).toEqual({ answers: [{ id }, { id }, { id }] })
  expect(await engine.db`select text from notes where id = ${`note/${id}`}`).toEqual([{ text: 'second' }])
})

test('a source’s keys are the same whether it stands alone or beside others', async () => {
  const id = name()
  const command = { id, text: 'x' }
  const first = await alone.execute(command, { key: id })
  expect(await both.of(mine)(command, { key: id })).toEqual({ ...first, repeated: true })
  await expect(both.of(mine)({ id, text: 'y' }, { key: id })).rejects.toMatchObject({ code: 'idempotency-key-reused' })
  const deeds: [Deed, Deed] = [write(mine, id, 'a'), write(marks, id, 'b')]
  const [one, again] = [await together(deeds, { key: `${id}+` }), await together(deeds, { key: `${id}+` })]
  expect(again).toEqual({ ...one, repeated: true })
})

test('whoever writes a part’s entities alone meanwhile loses nothing and stops nobody', async () => {
  const id = name()
  const work = Array.from({ length: 60 }, (_, n) =>
    n % 3 === 0
      ? alone.execute({ id, text: `${n}` })
      : n % 3 === 1
        ? both.of(mine)({ id, text: `${n}` })
        : together([write(mine, id, `${n}`), write(marks, id, `${n}`)]),
  )
  await Promise.all(work)
  const rows = await engine.db`select id, version from notes where id in (${`note/${id}`}, ${`mark/${id}`}) order by id`
  expect(rows).toEqual([
    { id: `mark/${id}`, version: 20 },
    { id: `note/${id}`, version: 60 },
  ])
})

test('two sources that own the same kind of entity, or don’t say what they own, can’t be joined', () => {
  expect(() => jointSource('both', [mine, { ...marks, entities: ['note'] }])).toThrow('both own note')
  expect(() => jointSource('both', [notes])).toThrow('does not say what it owns')
})
