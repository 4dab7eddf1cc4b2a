import { expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { notesService } from '../../test/notes.ts'
import { rules, verify } from '../app/verify.ts'
import { testEngine } from '../testing.ts'
import { projection } from './consumer.ts'
import { replay } from './consumers.ts'
import type { EngineOptions } from './engine.ts'
import { listFailures, retryFailure } from './failures.ts'
import { read } from './log.ts'
import { thinnedUpTo, thinOldest } from './retention.ts'

/** An engine whose log has partitions of ten positions. */
async function start(options: Partial<EngineOptions> = {}) {
  const { url } = await createTestDatabase()
  let notes: ReturnType<typeof notesService> | undefined
  const { engine } = await testEngine(url, (engine) => [(notes = notesService(engine))], options)
  if (!notes) throw new Error('no service')
  const { db } = engine
  await db`drop table lockstep.events_0, lockstep.events_1`
  await db`create or replace function lockstep.partition_size() returns bigint language sql immutable as 'select 10::bigint'`
  await db`select lockstep.ensure_partitions(n) from generate_series(0, 90, 10) n`
  const write = async (...ids: string[]) => {
    for (const [n, id] of ids.entries())
      await (notes as ReturnType<typeof notesService>).execute({ id, text: `${id} ${n}` })
    await engine.settle()
  }
  const grow = async () => void (await db`update lockstep.events set at = at - interval '10 days'`)
  const positions = async () =>
    (await db`select position from lockstep.events order by position`).map((row) => row.position)
  return { url, engine, db, notes, write, grow, positions }
}

const many = (id: string, count: number) => Array<string>(count).fill(id)

test('of a thinned partition the last event of each entity is left, unless there is a later one', async () => {
  const { engine, db, write, grow, positions } = await start()
  await using _ = engine
  await write('1', '1', '2', '3', '3', ...many('4', 30))
  await grow()
  expect(await thinOldest(db, 9)).toBe(9)
  expect((await positions()).slice(0, 5)).toEqual([2, 3, 5, 10, 11])
  expect(await thinOldest(db, 9)).toBe(19)
  expect((await positions()).slice(0, 5)).toEqual([2, 3, 5, 20, 21])
  expect(await thinnedUpTo(db)).toBe(19)
  expect((await read(db, 0, 100)).map(({ position }) => position)).toEqual(await positions())
})

test('the newest two partitions, young events and what a consumer has yet to see stay', async () => {
  const { engine, db, write, grow } = await start()
  await using _ = engine
  await write(...many('1', 19))
  await grow()
  expect(await thinOldest(db, 9)).toBeUndefined()
  await write('1')
  expect(await thinOldest(db, 11)).toBeUndefined()
  await db`update lockstep.consumers set position = 8 where name = 'diary'`
  expect(await thinOldest(db, 9)).toBeUndefined()
  await db`update lockstep.consumers set position = 9 where name = 'diary'`
  expect(await thinOldest(db, 9)).toBe(9)
})

test('a projection that is built from the start of a thinned log ends up as it was, and so does a new one', async () => {
  const latest = new Map<string, number>()
  const { url, engine, db, write, grow } = await start()
  await write('1', '2', '1', '3', ...many('4', 20), '2', '5', '5')
  await grow()
  expect(await thinOldest(db, 9)).toBe(9)
  const before = await db`select * from copies order by id`
  const copies = engine.runners.find((runner) => runner.consumer.name === 'copies')?.consumer
  await replay(db, 'copies', 0, copies)
  await engine.settle()
  expect(await db`select * from copies order by id`).toEqual(before)
  await engine.close()

  const late = projection({
    name: 'late',
    on: ['note.*'],
    async apply(changes) {
      for (const { entity, version } of changes) latest.set(entity, version)
    },
  })
  const second = await testEngine(url, (engine) => [notesService(engine), { name: 'late', consumers: [late] }])
  await second.engine.settle()
  expect([...latest].sort()).toEqual(before.map((row) => [row.id, row.version]))
  await second.engine.close()
})

test('a dead letter’s event stays, and can be retried', async () => {
  const { engine, db, write, grow, positions } = await start()
  await using _ = engine
  engine.faults.set('diary', { keys: ['1'], mode: 'give-up', error: 'no such page', times: 1 })
  await write(...many('1', 25))
  await grow()
  expect(await thinOldest(db, 9)).toBe(9)
  expect((await positions()).slice(0, 2)).toEqual([1, 10])
  const [letter] = await listFailures(db, {}, undefined, 10)
  await retryFailure(db, letter?.id ?? 0)
  await engine.settle()
  expect(await db`select count(*)::int as n from diary where version = 1`).toEqual([{ n: 1 }])
})

test('a reaction is not replayed from where events are gone', async () => {
  const { engine, db, write, grow } = await start()
  await using _ = engine
  await write(...many('1', 25))
  await grow()
  await thinOldest(db, 9)
  await expect(replay(db, 'diary', 8)).rejects.toMatchObject({ code: 'left-the-log', detail: { first: 10 } })
  await replay(db, 'diary', 9)
  await engine.settle()
  expect(await db`select count(*)::int as n from diary`).toEqual([{ n: 41 }])
})

test('a hole behind the thinned part is still a broken log', async () => {
  const { engine, db, write, grow } = await start()
  await using _ = engine
  await write(...many('1', 35))
  await grow()
  await thinOldest(db, 9)
  const log = rules([], []).filter(({ name }) => name.startsWith('log:'))
  expect(log).toHaveLength(2)
  expect(await verify(db, log, () => {})).toEqual([])
  await db`delete from lockstep.events where position = 10`
  await expect(read(db, 0, 100)).rejects.toThrow('the log has no event 10; the next one is 11')
  expect(await verify(db, log, () => {})).not.toEqual([])
})

test('a running engine thins its log by itself, while events are written and followed', async () => {
  const { engine, db, notes, write, grow } = await start({ retentionDays: 9 })
  await using _ = engine
  await write(...many('1', 25))
  await grow()
  const stop = new AbortController()
  const running = engine.run(stop.signal)
  let written = 25
  while ((await thinnedUpTo(db)) === 0)
    if (written < 90) written = (await notes.execute({ id: '1', text: 'x' })).versions['note/1'] ?? 0
  expect(await thinnedUpTo(db)).toBe(9)
  await expect.poll(async () => (await db`select version from copies`)[0].version).toBe(written)
  await expect.poll(async () => (await db`select count(*)::int as n from diary`)[0].n).toBe(written)
  stop.abort()
  await running
})
