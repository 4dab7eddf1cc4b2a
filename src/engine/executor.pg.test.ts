import { hash } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { notesService, type WriteNote } from '../../test/notes.ts'
import { testEngine } from '../testing.ts'
import { forgetBatches } from './command-records.ts'
import { type Database, openDatabase } from './database.ts'
import { append } from './log.ts'

/** Two engines on one database, as two processes would be. */
async function start(options: { batchMost?: number } = {}) {
  const { url } = await createTestDatabase()
  const [one, two] = [
    await testEngine(url, (engine) => [notesService(engine)], options),
    await testEngine(url, (engine) => [notesService(engine)], options),
  ]
  const [first, second] = [one.services[0], two.services[0]]
  if (!first || !second) throw new Error('no service')
  const close = () => Promise.all([one.engine.close(), two.engine.close()])
  return { url, db: one.engine.db, first, second, [Symbol.asyncDispose]: async () => void (await close()) }
}

async function somebodyWaitsForALock(db: Database) {
  for (;;) {
    const [row] = await db<{ n: number }>`
      select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
    if (row?.n) return
    await pause(5)
  }
}

const versionsOf = async (db: Database) =>
  (await db<{ version: number }>`select version from lockstep.events order by position`).map((row) => row.version)

test('two processes that create one entity at the same moment both succeed, one after the other', async () => {
  await using stage = await start()
  const { db, first, second } = stage
  for (let n = 0; n < 20; n++) {
    const both = [first, second].map((notes) => notes.execute({ id: `new ${n}`, text: 'x' }))
    const versions = (await Promise.all(both)).map((executed) => executed.versions[`note/new ${n}`])
    expect(versions.sort()).toEqual([1, 2])
  }
  expect((await versionsOf(db)).length).toBe(40)
})

test('one key sent to two processes at the same moment is carried out once, and both are told the same', async () => {
  await using stage = await start()
  const { db, first, second } = stage
  for (let n = 0; n < 20; n++) {
    const command = { id: n < 10 ? `new ${n}` : 'old', text: `x ${n}` }
    const [here, there] = await Promise.all([first, second].map((notes) => notes.execute(command, { key: `k${n}` })))
    expect(here?.versions).toEqual(there?.versions)
  }
  expect((await versionsOf(db)).length).toBe(20)
})

test('a command that is refused only because it was already carried out gets its first answer', async () => {
  await using stage = await start()
  const { url, db, first } = stage
  await first.execute({ id: '1', text: 'a' })
  const command: WriteNote = { id: '1', text: 'b' }

  // The same command, sent before by a session that everybody has given up but that is about to commit.
  const lost = await openDatabase(url).reserve()
  const answer = { answer: { id: '1' }, versions: { 'note/1': 2 }, repeated: false }
  await lost`begin`
  await lost`update notes set version = 2, text = 'b' where id = 'note/1'`
  await lost`
    insert into lockstep.commands (scope, key, fingerprint, answer)
    values ('notes/anonymous', 'k', ${hash('sha1', JSON.stringify(command), 'base64url')}, ${JSON.stringify(answer)}::json)`
  const again = first.execute(command, { key: 'k', expect: { entity: 'note/1', version: 1 } })
  await somebodyWaitsForALock(db)
  await append(lost, [
    { type: 'note.written', key: '1', entity: 'note/1', version: 2, source: 'notes', data: { text: 'b' } },
  ])
  await lost`commit`
  lost.release()

  expect(await again).toEqual({ ...answer, repeated: true })
  expect(await versionsOf(db)).toEqual([1, 2])
})

test('commands for rows that a stranger holds do not hold up each other: each is refused, or goes on when its own row is free', async () => {
  await using stage = await start()
  const { url, first } = stage
  for (const id of ['1', '2', '3', '4', '5', '6']) await first.execute({ id, text: 'a' })
  const strangers = openDatabase(url, { idleInTransactionMs: 0, deadlineMs: 0 })
  const one = await strangers.reserve()
  const two = await strangers.reserve()
  await one`begin`
  await one`select from notes where id = 'note/1' for update`
  await two`begin`
  await two`select from notes where id = 'note/2' for update`
  const held = first.execute({ id: '1', text: 'b' }).catch((error) => error)
  const soonFree = first.execute({ id: '2', text: 'b' })
  expect((await first.execute({ id: '3', text: 'b' })).versions).toEqual({ 'note/3': 2 })
  await two`rollback`
  expect((await soonFree).versions).toEqual({ 'note/2': 2 })
  expect(await held).toMatchObject({ name: 'Unavailable', detail: { entity: 'note/1', blockedBy: [one.pid] } })
  await one`rollback`
  one.release()
  two.release()
  await strangers.close()
  expect((await first.execute({ id: '1', text: 'b' })).versions).toEqual({ 'note/1': 2 })
})

test.each([
  ['in batches as large as they come', {}],
  ['in small ones that are sent before the last is committed', { batchMost: 40 }],
])('two processes that write the same entities %s lose nothing, double nothing and give each version once', async (_, options) => {
  await using stage = await start(options)
  const { db, first, second } = stage
  const commands = 3_000
  const versions = new Map<string, number[]>()
  const client = async (notes: typeof first, name: string, from: number) => {
    for (let n = from; n < commands; n += 200) {
      const { versions: made } = await notes.execute({ id: `${n % 4}`, text: `${name} ${n}` }, { key: `${name} ${n}` })
      for (const [entity, version] of Object.entries(made))
        versions.set(entity, [...(versions.get(entity) ?? []), version])
    }
  }
  await Promise.all(
    Array.from({ length: 200 }, (_, from) => [client(first, 'here', from), client(second, 'there', from)]).flat(),
  )
  const each = Array.from({ length: (2 * commands) / 4 }, (_, n) => n + 1)
  for (const [entity, told] of versions) expect([entity, told.sort((a, b) => a - b)]).toEqual([entity, each])
  const [row] = await db<{ events: number; latest: number }>`
    select count(*)::int as events, (select count(*)::int from notes join lockstep.events e on e.entity = notes.id and e.version = notes.version
                                     where notes.version = ${each.length} and e.data ->> 'text' = notes.text) as latest
    from   lockstep.events`
  expect(row).toEqual({ events: 2 * commands, latest: 4 })
})

test('what was decided ahead on an outdated state is decided again: nobody is refused for a version that another process has passed', async () => {
  await using stage = await start()
  const { first, second } = stage
  // Always a batch under way, so that the first process decides the next one ahead, on the version of the note that it wrote itself.
  let busy = true
  const others = Array.from({ length: 100 }, async (_, n) => {
    while (busy) await first.execute({ id: `other ${n}`, text: 'x' })
  })
  try {
    await first.execute({ id: '1', text: 'mine' })
    for (let version = 2; version < 80; version += 2) {
      await second.execute({ id: '1', text: 'theirs' })
      const mine = await first.execute({ id: '1', text: 'mine' }, { expect: { entity: 'note/1', version } })
      expect(mine.versions).toEqual({ 'note/1': version + 1 })
    }
  } finally {
    busy = false
    await Promise.all(others)
  }
})

test('a command that can not be decided ahead is not passed over for ever by those that can', async () => {
  await using stage = await start({ batchMost: 10 })
  const { first } = stage
  let busy = true
  const others = Array.from({ length: 50 }, async (_, n) => {
    while (busy) await first.execute({ id: `other ${n}`, text: 'x' })
  })
  try {
    for (let n = 0; n < 20; n++) await first.execute({ id: `never seen ${n}`, text: 'x' })
  } finally {
    busy = false
    await Promise.all(others)
  }
})

test('a batch’s record is forgotten once nobody can ask for it; a key’s record stays, however old', async () => {
  await using stage = await start()
  const { db, first } = stage
  await first.execute({ id: '1', text: 'a' })
  const named = await first.execute({ id: '1', text: 'b' }, { key: 'b' })
  expect(await forgetBatches(db)).toBe(0)
  await db`update lockstep.commands set at = at - interval '1 year'`
  await first.execute({ id: '1', text: 'c' })
  expect(await forgetBatches(db)).toBe(1)
  expect((await first.execute({ id: '1', text: 'b' }, { key: 'b' })).versions).toEqual(named.versions)
})
