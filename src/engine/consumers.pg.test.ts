import { expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { notesService } from '../../test/notes.ts'
import { testEngine } from '../testing.ts'
import { projection } from './consumer.ts'
import { forget, getConsumer, isServed, listConsumers, replay, setPaused } from './consumers.ts'
import type { Engine } from './engine.ts'
import { Membership } from './membership.ts'
import { syncStatus, waitForSync } from './sync-status.ts'

async function start(more: (engine: Engine) => Parameters<Engine['install']>[0] = () => []) {
  const { url } = await createTestDatabase()
  let notes: ReturnType<typeof notesService> | undefined
  const { engine } = await testEngine(url, (engine) => [(notes = notesService(engine)), ...more(engine)])
  if (!notes) throw new Error('no service')
  return { url, engine, notes, db: engine.db }
}

const copiesOf = (engine: Engine) => engine.runners.find((runner) => runner.consumer.name === 'copies')?.consumer

test('a projection replayed from the start is emptied and ends up as it was', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  await Promise.all(Array.from({ length: 100 }, (_, n) => notes.execute({ id: String(n % 10), text: `text ${n}` })))
  await engine.settle()
  const before = await db`select * from copies order by id`
  await db`update copies set text = 'wrong'`
  await db`insert into copies values ('note/of nobody', 1, 'orphan')`
  await replay(db, 'copies', 0, copiesOf(engine))
  await engine.settle()
  expect(await db`select * from copies order by id`).toEqual(before)
})

test('events delivered twice to a projection take nothing back', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  for (const text of ['a', 'b', 'c']) await notes.execute({ id: '1', text })
  await engine.settle()
  for (const after of [0, 1, 2]) {
    await replay(db, 'copies', after)
    await engine.settle()
    expect(await db`select version, text from copies`).toEqual([{ version: 3, text: 'c' }])
  }
})

test('a replayed reaction does again what it did, through tx, once for each replay', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  for (const text of ['a', 'b', 'c']) await notes.execute({ id: '1', text })
  await engine.settle()
  await replay(db, 'diary', 1)
  await engine.settle()
  expect((await db`select version from diary order by n`).map((row) => row.version)).toEqual([1, 2, 3, 2, 3])
})

test('a replay forgets no failure that began before where it starts', async () => {
  const shaky = projection({ name: 'shaky', on: ['note.*'], apply: () => Promise.reject(new Error('broken')) })
  const { engine, notes, db } = await start(() => [{ name: 'shaky', consumers: [shaky] }])
  await using _ = engine
  for (const text of ['a', 'b']) {
    await notes.execute({ id: '1', text })
    await engine.settle()
  }
  const missing = () => db`select position, first_position from lockstep.failures where consumer = 'shaky'`
  expect([...(await missing())]).toEqual([{ position: 2, first_position: 1 }])
  await replay(db, 'shaky', 1)
  expect([...(await missing())]).toEqual([{ position: 2, first_position: 1 }])
  await replay(db, 'shaky', 0)
  expect([...(await missing())]).toEqual([])
})

test('a projection that asks for every event is handed each of a batch in order, another one each entity’s latest', async () => {
  const handed: Record<string, number[]> = { every: [], latest: [] }
  const follower = (name: string, every: boolean) =>
    projection({
      name,
      every,
      on: ['note.*'],
      apply: async (changes) => void handed[name]?.push(...changes.map(({ version }) => version)),
    })
  const { engine, notes } = await start(() => [
    { name: 'both', consumers: [follower('every', true), follower('latest', false)] },
  ])
  await using _ = engine
  for (const text of ['a', 'b', 'c']) await notes.execute({ id: '1', text })
  await engine.settle()
  expect(handed).toEqual({ every: [1, 2, 3], latest: [3] })
})

test('a replay beyond the log and one of nobody are refused', async () => {
  const { engine, db } = await start()
  await using _ = engine
  await expect(replay(db, 'copies', 1)).rejects.toMatchObject({ code: 'beyond-the-log' })
  await expect(replay(db, 'nobody', 0)).rejects.toMatchObject({ code: 'not-found' })
})

test('a consumer that nobody runs any more is waited for until it is forgotten; one that runs is not forgotten', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  await db`insert into lockstep.consumers (name, kind, patterns, position) values ('retired', 'projection', '{note.*}', 0)`
  await notes.execute({ id: '1', text: 'a' })
  await engine.settle()
  expect((await syncStatus(db, '1')).overallStatus).toBe('processing')
  await expect(forget(db, 'copies')).rejects.toMatchObject({ code: 'consumer-runs' })
  await forget(db, 'retired')
  expect((await syncStatus(db, '1')).overallStatus).toBe('completed')
})

test('a paused consumer does nothing until it is resumed; the others go on', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  await notes.execute({ id: '1', text: 'a' })
  await engine.settle()
  await setPaused(db, 'copies', true)
  await notes.execute({ id: '1', text: 'b' })
  await engine.settle()
  expect(await db`select text from copies`).toEqual([{ text: 'a' }])
  expect(await db`select version from diary`).toHaveLength(2)
  const paused = (await listConsumers(db)).find((each) => each.name === 'copies')
  expect(paused).toMatchObject({ paused: true, owner: null, lagEvents: 1, position: 1, end: 2 })
  await setPaused(db, 'copies', false)
  await engine.settle()
  expect(await db`select text from copies`).toEqual([{ text: 'b' }])
})

test('whoever waits for a version is told when it is done, when it failed, and when the time is over', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  const { signal } = new AbortController()
  const at = { entity: 'note/1', version: 1 }
  await notes.execute({ id: '1', text: 'a' })
  expect((await waitForSync(db, '1', { at, waitMs: 30, signal })).overallStatus).toBe('processing')
  const waiting = waitForSync(db, '1', { at, waitMs: 10_000, signal })
  await engine.settle()
  expect((await waiting).overallStatus).toBe('completed')
  engine.faults.set('copies', { keys: ['1'], mode: 'give-up', error: 'ink is out' })
  await notes.execute({ id: '1', text: 'b' })
  await engine.settle()
  const later = { entity: 'note/1', version: 2 }
  expect((await waitForSync(db, '1', { at: later, waitMs: 10_000, signal })).overallStatus).toBe('partial-failure')
  const diaryAlone = await waitForSync(db, '1', { at: later, consumers: ['diary'], waitMs: 10_000, signal })
  expect(diaryAlone.consumers.find((each) => each.consumer === 'diary')?.status).toBe('done')
  const aborted = waitForSync(db, '1', {
    at: { entity: 'note/1', version: 3 },
    waitMs: 10_000,
    signal: AbortSignal.abort(),
  })
  expect((await aborted).key).toBe('1')
})

test('a consumer of a process that stopped beating is claimed by the next, under a new epoch; of one that left, at once', async () => {
  const { engine, db } = await start()
  await using _ = engine
  const one = new Membership(db, 'lockstep one', 60_000)
  const impatient = new Membership(db, 'lockstep two', 1)
  const patient = new Membership(db, 'lockstep three', 60_000)
  const [first] = await one.runOnce(['copies'])
  expect(first).toMatchObject({ name: 'copies', epoch: 1, crashes: 0 })
  expect(await patient.runOnce(['copies'])).toEqual([])
  await db`update lockstep.processes set beat_at = beat_at - interval '1 second' where name = 'lockstep one'`
  const [second] = await impatient.runOnce(['copies'])
  expect(second).toMatchObject({ epoch: 2, crashes: 1 })
  await impatient.leave()
  const [third] = await patient.runOnce(['copies'])
  expect(third).toMatchObject({ epoch: 3, crashes: 0 })
})

test('a consumer shows an owner while its process beats, and none once it fell silent, although nobody has claimed it yet', async () => {
  const { engine, db } = await start()
  await using _ = engine
  const one = new Membership(db, 'lockstep one', 60_000)
  expect(await isServed(db)).toBe(false)
  await one.runOnce(['copies'])
  expect((await getConsumer(db, 'copies')).owner).toBe('lockstep one')
  expect(await isServed(db)).toBe(true)
  await db`update lockstep.processes set beat_at = beat_at - interval '3 seconds'`
  expect((await listConsumers(db)).map(({ owner }) => owner)).toEqual([null, null])
  expect(await isServed(db)).toBe(false)
  await one.runOnce([])
  expect((await getConsumer(db, 'copies')).owner).toBe('lockstep one')
})

test('two that claim at the same moment do not both get it', async () => {
  const { engine, db } = await start()
  await using _ = engine
  const rivals = Array.from({ length: 8 }, (_, n) => new Membership(db, `lockstep rival ${n}`, 60_000))
  const claims = await Promise.all(rivals.map((rival) => rival.runOnce(['copies', 'diary'])))
  expect(
    claims
      .flat()
      .map((claim) => claim.name)
      .sort(),
  ).toEqual(['copies', 'diary'])
})

test('parts of a split batch whose consumer was taken over meanwhile are not written: the next owner writes each once', async () => {
  let taken = false
  const { engine, notes, db } = await start((engine) => [
    {
      name: 'parts',
      consumers: [
        projection({
          name: 'parts',
          on: ['note.*'],
          async apply(changes, tx) {
            if (changes.length > 1) throw new Error('too much at once')
            if (!taken)
              await engine.db`update lockstep.consumers set epoch = epoch + 1, owner = 'gone' where name = 'parts'`
            taken = true
            await tx`insert into parts select ${changes[0]?.entity}`
          },
        }),
      ],
    },
  ])
  await using _ = engine
  await db`create table parts (id text)`
  const ids = ['1', '2', '3', '4', '5', '6']
  await Promise.all(ids.map((id) => notes.execute({ id, text: 'a' })))
  await engine.settle()
  expect(taken).toBe(true)
  expect((await db`select id from parts order by id`).map((row) => row.id)).toEqual(ids.map((id) => `note/${id}`))
})

test('an idle consumer that lost many owners is not blamed for it: its next event is handled', async () => {
  const { engine, notes, db } = await start()
  await using _ = engine
  await db`update lockstep.consumers set owner = 'lockstep gone', crashes = 9`
  await engine.settle()
  expect(await db`select max(crashes)::int as n from lockstep.consumers`).toEqual([{ n: 0 }])
  await db`update lockstep.consumers set crashes = 9`
  await notes.execute({ id: '1', text: 'a' })
  await engine.settle()
  expect(await db`select text from copies`).toEqual([{ text: 'a' }])
  expect(await db`select * from lockstep.failures`).toEqual([])
})
