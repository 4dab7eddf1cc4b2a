import { expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { notesService } from '../../test/notes.ts'
import { testEngine } from '../testing.ts'
import { projection } from './consumer.ts'
import { openDatabase } from './database.ts'
import type { Engine, EngineOptions } from './engine.ts'
import { discardFailure, getFailure, listFailures, restoreFailure, retryFailure, retryKey } from './failures.ts'
import { syncStatus } from './sync-status.ts'
import { RetryAfter } from './verdict.ts'

async function start(
  options: Partial<EngineOptions> = {},
  more: (engine: Engine) => Parameters<Engine['install']>[0] = () => [],
) {
  const { url } = await createTestDatabase()
  let notes: ReturnType<typeof notesService> | undefined
  const { engine } = await testEngine(url, (engine) => [(notes = notesService(engine)), ...more(engine)], options)
  if (!notes) throw new Error('no service')
  return { url, engine, notes, db: engine.db }
}

const lettersOf = async (engine: Engine) => listFailures(engine.db, {}, undefined, 10)

test('a dead letter tells every attempt and its cause, and a retry that works removes it', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  engine.faults.set('diary', { keys: ['1'], mode: 'throw', error: 'pen is lost', times: 3 })
  await notes.execute({ id: '1', text: 'a' })
  await engine.settle()
  const [letter] = await lettersOf(engine)
  expect(letter).toMatchObject({
    consumer: 'diary',
    key: '1',
    entity: 'note/1',
    version: 1,
    type: 'note.written',
    state: 'dead',
  })
  expect(letter).toMatchObject({ attempts: 3, error: 'pen is lost', errorClass: 'Error', retryAt: null })
  expect(letter?.history.map((each) => each.error)).toEqual(['pen is lost', 'pen is lost', 'pen is lost'])
  await retryFailure(db, letter?.id ?? 0)
  await engine.settle()
  expect(await db`select entity, version from diary`).toEqual([{ entity: 'note/1', version: 1 }])
  expect(await db`select * from lockstep.failures`).toEqual([])
})

test('a manual retry has all attempts ahead, and what still fails is a dead letter again', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  engine.faults.set('diary', { keys: ['1'], mode: 'throw', error: 'pen is lost' })
  await notes.execute({ id: '1', text: 'a' })
  await engine.settle()
  expect(await retryKey(db, '1', 'copies')).toBe(0)
  expect(await retryKey(db, '1')).toBe(1)
  await engine.settle()
  const [letter] = await lettersOf(engine)
  expect(letter).toMatchObject({ state: 'dead', attempts: 3 })
  expect(letter?.history).toHaveLength(6)
})

test('a restored letter is the dead one that it was, untouched; only a discarded one can be restored', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  engine.faults.set('diary', { keys: ['1'], mode: 'give-up', error: 'no such page', times: 1 })
  await notes.execute({ id: '1', text: 'a' })
  await engine.settle()
  const [letter] = await lettersOf(engine)
  const id = letter?.id ?? 0
  await discardFailure(db, id)
  expect(await restoreFailure(db, id)).toEqual(letter)
  expect(await restoreFailure(db, id)).toEqual(letter)
  await engine.settle()
  expect(await lettersOf(engine)).toEqual([letter])
  expect(await db`select * from diary`).toEqual([])
  await retryFailure(db, id)
  await expect(restoreFailure(db, id)).rejects.toMatchObject({ code: 'not-discarded' })
  await expect(restoreFailure(db, 999)).rejects.toMatchObject({ code: 'not-found' })
})

test('a discarded letter stays aside until it is retried; only a dead one can be discarded', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  engine.faults.set('diary', { keys: ['1'], mode: 'give-up', error: 'no such page', times: 1 })
  await notes.execute({ id: '1', text: 'a' })
  await engine.settle()
  const [letter] = await lettersOf(engine)
  const id = letter?.id ?? 0
  expect(letter?.attempts).toBe(1)
  expect((await discardFailure(db, id)).state).toBe('discarded')
  await engine.settle()
  expect(await lettersOf(engine)).toEqual([])
  expect(await retryKey(db, '1')).toBe(0)
  expect((await getFailure(db, id)).history).toEqual(letter?.history)
  expect((await retryFailure(db, id)).state).toBe('retrying')
  await expect(discardFailure(db, id)).rejects.toMatchObject({ code: 'not-dead' })
  await engine.settle()
  expect(await db`select entity from diary`).toEqual([{ entity: 'note/1' }])
  await expect(getFailure(db, id)).rejects.toMatchObject({ code: 'not-found' })
})

test("a newer version heals a projection's key although its old letter was discarded", async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  engine.faults.set('copies', { keys: ['1'], mode: 'give-up', error: 'ink is out', times: 1 })
  await notes.execute({ id: '1', text: 'a' })
  await engine.settle()
  const [letter] = await lettersOf(engine)
  await discardFailure(db, letter?.id ?? 0)
  expect((await syncStatus(db, '1')).overallStatus).toBe('partial-failure')
  await notes.execute({ id: '1', text: 'b' })
  await engine.settle()
  expect((await syncStatus(db, '1')).overallStatus).toBe('completed')
  expect(await db`select text from copies`).toEqual([{ text: 'b' }])
})

test("events behind a reaction's dead letter go on; its retry comes after them", async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  engine.faults.set('diary', { keys: ['1'], mode: 'throw', error: 'pen is lost', times: 3 })
  for (const text of ['a', 'b', 'c']) await notes.execute({ id: '1', text })
  await engine.settle()
  expect((await db`select version from diary order by n`).map((row) => row.version)).toEqual([2, 3])
  await retryKey(db, '1')
  await engine.settle()
  expect((await db`select version from diary order by n`).map((row) => row.version)).toEqual([2, 3, 1])
})

test('a handler that says when to come back is not given up', async () => {
  let tries = 0
  const { engine, notes } = await start({}, () => [
    {
      name: 'patient',
      consumers: [
        projection({
          name: 'patient',
          on: ['note.*'],
          async apply() {
            if (++tries <= 8) throw new RetryAfter(1)
          },
        }),
      ],
    },
  ])
  await using _ = engine
  await notes.execute({ id: '1', text: 'a' })
  await engine.settle()
  expect(tries).toBe(9)
  expect(await lettersOf(engine)).toEqual([])
})

test('a row that a stranger holds stops its own key at a projection, and no other; nothing is given up', async () => {
  const { url, engine, notes, db } = await start({ retry: { firstMs: 0, maxMs: 60_000 } })
  await using _ = engine
  await notes.execute({ id: '7', text: 'a' })
  await engine.settle()
  const stranger = openDatabase(url, { idleInTransactionMs: 0, deadlineMs: 0 })
  const session = await stranger.reserve()
  await session`begin`
  await session`select from copies where id = 'note/7' for update`
  await Promise.all([1, 2, 7, 8].map((id) => notes.execute({ id: `${id}`, text: 'b' })))
  await engine.settle()
  expect((await db`select id from copies where text = 'b' order by id`).map((row) => row.id)).toEqual([
    'note/1',
    'note/2',
    'note/8',
  ])
  expect(await db`select key, state, attempts, error from lockstep.failures`).toEqual([
    { key: '7', state: 'retrying', attempts: 0, error: 'canceling statement due to lock timeout' },
  ])
  await session`rollback`
  session.release()
  await stranger.close()
  await retryKey(db, '7')
  await engine.settle()
  expect(await db`select text from copies where id = 'note/7'`).toEqual([{ text: 'b' }])
})

test('a version that was applied stays done when a later one fails; one that never was fails with the later one', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  const statusesOf = async (version: number) =>
    (await syncStatus(db, '1', { entity: 'note/1', version })).consumers.find((each) => each.consumer === 'copies')
      ?.status
  await notes.execute({ id: '1', text: 'a' })
  await engine.settle()
  engine.faults.set('copies', { keys: ['1'], mode: 'give-up', error: 'ink is out' })
  await notes.execute({ id: '1', text: 'b' })
  await engine.settle()
  await notes.execute({ id: '1', text: 'c' })
  await engine.settle()
  expect([await statusesOf(1), await statusesOf(2), await statusesOf(3)]).toEqual(['done', 'failed', 'failed'])
  await db`insert into lockstep.consumers (name, kind, patterns, position) values ('slow', 'projection', '{note.*}', 0)`
  expect([await statusesOf(1), await statusesOf(2)]).toEqual(['done', 'failed'])
  engine.faults.clear('copies')
  await notes.execute({ id: '1', text: 'd' })
  await engine.settle()
  expect([await statusesOf(1), await statusesOf(2), await statusesOf(4)]).toEqual(['done', 'done', 'done'])
})

test('a version that conflation left out fails with the one that stood for it', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  engine.faults.set('copies', { keys: ['1'], mode: 'give-up', error: 'ink is out' })
  for (const text of ['a', 'b', 'c']) await notes.execute({ id: '1', text })
  await engine.settle()
  const first = await syncStatus(db, '1', { entity: 'note/1', version: 1 })
  expect(first.consumers.find((each) => each.consumer === 'copies')?.status).toBe('failed')
})
