import { expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { notesService } from '../../test/notes.ts'
import { testEngine } from '../testing.ts'
import { projection } from './consumer.ts'
import { Rejected } from './decider.ts'
import type { EngineOptions } from './engine.ts'
import { read } from './log.ts'
import { syncStatus } from './sync-status.ts'
import { KeysFailed } from './verdict.ts'

async function start(options: Partial<EngineOptions> = {}) {
  const { url } = await createTestDatabase()
  const { engine, services } = await testEngine(url, (engine) => [notesService(engine)], options)
  const [notes] = services
  if (!notes) throw new Error('no service')
  return { engine, notes, db: engine.db }
}

test('a command changes the state and appends its event in one transaction, and consumers follow', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  const { answer, versions } = await notes.execute({ id: '1', text: 'hello' })
  expect(answer).toEqual({ id: '1' })
  expect(versions).toEqual({ 'note/1': 1 })
  expect((await syncStatus(db, '1')).overallStatus).toBe('processing')
  await engine.settle()
  expect(await db`select id, version, text from copies`).toEqual([{ id: 'note/1', version: 1, text: 'hello' }])
  expect((await syncStatus(db, '1')).overallStatus).toBe('completed')
})

test('commands that arrive together share one transaction, and positions have no gap', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  await Promise.all(Array.from({ length: 500 }, (_, n) => notes.execute({ id: String(n % 50), text: `text ${n}` })))
  const events = await read(db, 0, 1_000)
  expect(events.map((event) => event.position)).toEqual(Array.from({ length: 500 }, (_, n) => n + 1))
  const [row] = await db<{ n: number }>`select count(distinct at)::int as n from lockstep.events`
  expect(row?.n).toBeLessThan(10)
  const [wrong] = await db<{ n: number }>`
    select count(*)::int as n from notes where version <> (select max(version) from lockstep.events where entity = notes.id)`
  expect(wrong?.n).toBe(0)
})

test('a rejected command does not fail its neighbours', async () => {
  const { engine, notes } = await start()
  await using _ = engine
  const outcomes = await Promise.allSettled([
    notes.execute({ id: '1', text: 'fine' }),
    notes.execute({ id: '2', text: 'forbidden' }),
    notes.execute({ id: '3', text: 'fine' }),
  ])
  expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
})

test('a command that the database refuses fails alone; the rest of its batch commits', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  const outcomes = await Promise.allSettled(
    ['fine', 'unstorable', 'fine'].map((text, n) => notes.execute({ id: String(n), text })),
  )
  expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  expect(await db`select entity, version from lockstep.events order by position`).toEqual([
    { entity: 'note/0', version: 1 },
    { entity: 'note/2', version: 1 },
  ])
})

test('the same idempotency key gives the first answer again; with another command it is refused', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  const [first, twin] = await Promise.all([
    notes.execute({ id: '1', text: 'once' }, { key: 'k' }),
    notes.execute({ id: '1', text: 'once' }, { key: 'k' }),
  ])
  const later = await notes.execute({ id: '1', text: 'once' }, { key: 'k' })
  expect([first?.versions, twin?.versions, later.versions]).toEqual([{ 'note/1': 1 }, { 'note/1': 1 }, { 'note/1': 1 }])
  expect(later.repeated).toBe(true)
  await expect(notes.execute({ id: '1', text: 'twice' }, { key: 'k' })).rejects.toThrow(Rejected)
  await notes.execute({ id: '1', text: 'twice' }, { key: 'k', actor: 'somebody else' })
  expect(await db`select count(*)::int as n from lockstep.events`).toEqual([{ n: 2 }])
})

test('a caller with an old version is refused', async () => {
  const { engine, notes } = await start()
  await using _ = engine
  await notes.execute({ id: '1', text: 'a' })
  await notes.execute({ id: '1', text: 'b' }, { expect: { entity: 'note/1', version: 1 } })
  await expect(
    notes.execute({ id: '1', text: 'c' }, { expect: { entity: 'note/1', version: 1 } }),
  ).rejects.toMatchObject({
    code: 'version-mismatch',
    detail: { actual: 2 },
  })
})

test('forty updates of one entity are one write to a projection, and forty events to a reaction', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  await Promise.all(Array.from({ length: 40 }, (_, n) => notes.execute({ id: '1', text: `text ${n}` })))
  await engine.settle()
  expect(await db`select version, text from copies`).toEqual([{ version: 40, text: 'text 39' }])
  expect(await db`select count(distinct event_id)::int as n, count(*)::int as written from diary`).toEqual([
    { n: 40, written: 40 },
  ])
})

test('one bad key becomes a failure and the other 999 go through', async () => {
  const { engine, notes, db } = await start({ retry: { firstMs: 60_000, maxMs: 60_000 } })
  await using _ = engine
  engine.faults.set('copies', { keys: ['500'], mode: 'throw', error: 'ink is out' })
  await Promise.all(Array.from({ length: 1000 }, (_, n) => notes.execute({ id: String(n), text: 'x' })))
  await engine.settle()
  expect(await db`select count(*)::int as n from copies`).toEqual([{ n: 999 }])
  const status = await syncStatus(db, '500')
  expect(status.consumers.find((each) => each.consumer === 'copies')).toMatchObject({
    status: 'retrying',
    attempts: 1,
    error: 'ink is out',
  })
  expect(status.consumers.find((each) => each.consumer === 'diary')).toMatchObject({ status: 'done' })
  expect((await syncStatus(db, '499')).overallStatus).toBe('completed')
})

test('after three attempts a key is a dead letter and its status failed; a newer version heals it', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  engine.faults.set('copies', { keys: ['1'], mode: 'throw', error: 'ink is out', times: 3 })
  await notes.execute({ id: '1', text: 'a' })
  await engine.settle()
  expect((await syncStatus(db, '1')).overallStatus).toBe('partial-failure')
  expect(await db`select state, attempts from lockstep.failures`).toEqual([{ state: 'dead', attempts: 3 }])
  await notes.execute({ id: '1', text: 'b' })
  await engine.settle()
  expect((await syncStatus(db, '1')).overallStatus).toBe('completed')
  expect(await db`select text from copies`).toEqual([{ text: 'b' }])
  expect(await db`select * from lockstep.failures`).toEqual([])
})

test("a reaction's later events of a failed key wait behind it, in order; other keys go on", async () => {
  const { engine, notes, db } = await start({ retry: { attempts: 5, firstMs: 0, maxMs: 0 } })
  await using _ = engine
  engine.faults.set('diary', { keys: ['1'], mode: 'throw', error: 'pen is lost', times: 2 })
  for (const text of ['a', 'b', 'c']) {
    await notes.execute({ id: '1', text })
    await notes.execute({ id: '2', text })
  }
  await engine.settle()
  const written = await db<{ entity: string; version: number }>`select entity, version from diary order by n`
  expect(written.filter((row) => row.entity === 'note/1').map((row) => row.version)).toEqual([1, 2, 3])
  expect(written.slice(0, 3).every((row) => row.entity === 'note/2')).toBe(true)
})

test('a projection that names the keys to blame is not split: the others go through in one more try', async () => {
  const { url } = await createTestDatabase()
  let calls = 0
  const picky = projection({
    name: 'picky',
    on: ['note.*'],
    async apply(changes) {
      calls++
      const bad = changes.filter((change) => Number(change.key) % 100 === 7)
      if (bad.length > 0)
        throw new KeysFailed(new Map(bad.map((change) => [change.key, new Error(`${change.key} is taken`)])))
    },
  })
  const { engine, services } = await testEngine(url, (engine) => [{ ...notesService(engine), consumers: [picky] }], {
    retry: { firstMs: 60_000 },
  })
  await using _ = engine
  await Promise.all(Array.from({ length: 500 }, (_, n) => services[0]?.execute({ id: String(n), text: 'x' })))
  await engine.settle()
  expect(calls).toBe(2)
  const failures = await engine.db`select key, error from lockstep.failures order by key::int`
  expect(failures[0]).toEqual({ key: '7', error: '7 is taken' })
  expect(failures).toHaveLength(5)
})
