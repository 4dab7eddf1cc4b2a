import { expect, test } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { append } from '../../src/engine/log.ts'
import { testEngine } from '../../src/testing.ts'
import { createTestDatabase } from '../database.ts'
import { notesService } from '../notes.ts'
import { delivered, expectSound } from './checker.ts'
import { BUSY_MS, caughtUp, until } from './ownership.ts'
import { type Host, startHost, workedMs } from './supervisor.ts'

const all = ['copies', 'diary', 'eaten', 'tasted']

/** A writer in this process, and the database. */
async function writer() {
  const { url } = await createTestDatabase()
  const { engine, services } = await testEngine(url, (engine) => [notesService(engine)])
  const notes = services[0]
  if (!notes) throw new Error('no service')
  const db = openDatabase(url)
  return {
    url,
    db,
    write: notes.execute,
    async close() {
      await engine.close()
      await db.close()
    },
  }
}

const standing = (db: Awaited<ReturnType<typeof writer>>['db']) =>
  db<{ consumer: string; key: string; state: string }>`
    select consumer, key, state from lockstep.failures order by consumer, key`

/** Who has not got what, of notes that are not poisonous. */
async function starved(db: Awaited<ReturnType<typeof writer>>['db'], poisoned: string[]): Promise<string[]> {
  const rows = await db<{ wrong: string }>`
    select format('%s was never eaten', n.id) as wrong
    from   notes n left join eaten e on e.id = n.id and e.version = n.version
    where  e.id is null and n.id <> all (${poisoned.map((id) => `note/${id}`)}::text[])
    union all
    select format('%s@%s was tasted %s times', e.entity, e.version, count(t.*))
    from   lockstep.events e left join tasted t on t.event_id = e.id
    where  e.key <> all (${poisoned}::text[]) and e.type = 'note.written'
    group  by e.entity, e.version having count(t.*) <> 1`
  return rows.map((row) => row.wrong)
}

test('of two thousand keys with one each for every way a handler can fail, those alone stop, within seconds', {
  timeout: 120_000,
}, async () => {
  const poisons = [
    'throws',
    'throws a string',
    'throws something without a text',
    'throws an error with a NUL in its name',
    'rejects later',
    'never settles',
  ]
  const { url, db, write, close } = await writer()
  const poisoned = poisons.map((_, n) => String(150 + 300 * n))
  const text = (id: string) => poisons[poisoned.indexOf(id)] ?? 'fine'
  await Promise.all(Array.from({ length: 2_000 }, (_, n) => write({ id: String(n), text: text(String(n)) })))
  const since = performance.now()
  const host = await startHost(url, {
    consume: true,
    poison: true,
    options: { handlerTimeoutMs: 400, retry: { firstMs: 20, maxMs: 100 } },
  })
  await caughtUp(db, all)
  expect(await starved(db, poisoned)).toEqual([])
  expect(performance.now() - since).toBeLessThan(15_000 + BUSY_MS)
  await until(async () => (await standing(db)).every((row) => row.state === 'dead'))
  const letters = (await standing(db)).map((row) => `${row.consumer} ${row.key} ${row.state}`)
  const expected = ['eaten', 'tasted'].flatMap((consumer) => poisoned.map((key) => `${consumer} ${key} dead`))
  expect(letters.sort()).toEqual(expected.sort())

  await Promise.all(poisoned.map((id) => write({ id, text: 'an antidote' })))
  await caughtUp(db, all)
  await until(async () => (await standing(db)).every((row) => row.consumer === 'tasted'))
  expect(await db`select count(*)::int as n from eaten`).toEqual([{ n: 2_000 }])
  await expectSound(db)
  expect(await delivered(db)).toEqual([])
  expect(host.unhandled).toEqual([])
  await host.close()
  await close()
})

test('an event of five megabytes, one of an unheard-of type and one with nothing in it hold up nobody', {
  timeout: 120_000,
}, async () => {
  const { url, db, write, close } = await writer()
  const host = await startHost(url, { consume: true, poison: true, options: { retry: { firstMs: 10, maxMs: 20 } } })
  await write({ id: '1', text: 'x'.repeat(5_000_000) })
  await db.begin((tx) =>
    append(tx, [
      { type: 'unheard.of', key: '2', entity: 'unheard/2', version: 1, source: 'elsewhere', data: {} },
      { type: 'note.emptied', key: '3', entity: 'blank/3', version: 1, source: 'elsewhere', data: {} },
    ]),
  )
  await write({ id: '4', text: 'fine' })
  await caughtUp(db, all)
  await until(async () => (await standing(db)).every((row) => row.state === 'dead'))
  expect(await standing(db)).toEqual([{ consumer: 'copies', key: '3', state: 'dead' }])
  expect(await db`select id, length(text)::int as length from copies order by id`).toEqual([
    { id: 'note/1', length: 5_000_000 },
    { id: 'note/4', length: 4 },
  ])
  expect(await starved(db, ['2', '3'])).toEqual([])
  expect(host.unhandled).toEqual([])
  await host.close()
  await close()
})

test('a rejection that nobody looks at costs no event and no process', async () => {
  const { url, db, write, close } = await writer()
  const host = await startHost(url, { consume: true, poison: true })
  await write({ id: '1', text: 'rejects when nobody looks' })
  await write({ id: '2', text: 'fine' })
  await caughtUp(db, all)
  expect(await starved(db, [])).toEqual([])
  expect(host.unhandled.every((said) => said.includes('bitter, detached'))).toBe(true)
  expect(host.isRunning()).toBe(true)
  await host.close()
  await close()
})

test('an event on which every process hangs in an endless loop is given up after a few of them, and no other event with it', {
  timeout: 300_000,
}, async () => {
  const { url, db, write, close } = await writer()
  await Promise.all(
    Array.from({ length: 1_000 }, (_, n) => write({ id: String(n), text: n === 700 ? 'loops' : 'fine' })),
  )
  let restarts = 0
  let host: Host | undefined
  const given = async () => (await standing(db)).filter((row) => row.state === 'dead').length === 2
  let last = { beat: 0, workedMs: 0 }
  /** It works on and on and does not come to beat; one that waits for a core does not work. */
  const hangs = async ({ name, pid }: Host) => {
    const [row] = await db<{ at: Date }>`select beat_at as at from lockstep.processes where name = ${name}`
    const beat = row?.at.getTime() ?? 0
    if (beat !== last.beat) last = { beat, workedMs: workedMs(pid) }
    return beat > 0 && workedMs(pid) - last.workedMs > 1_000
  }
  // what an orchestrator does with a process that does not answer
  while (!(await given())) {
    host = await startHost(url, { consume: true, poison: true, options: { standbyMs: 500 } })
    const present = host
    await until(async () => (await given()) || (await hangs(present)))
    if (await given()) break
    await host.kill()
    restarts++
    expect(restarts).toBeLessThanOrEqual(12) // five for each of the two consumers that hang, and two that were lost meanwhile
  }
  await caughtUp(db, all)
  expect((await standing(db)).map((row) => `${row.consumer} ${row.key} ${row.state}`)).toEqual([
    'eaten 700 dead',
    'tasted 700 dead',
  ])
  expect(await starved(db, ['700'])).toEqual([])
  expect(await delivered(db)).toEqual([])
  await host?.close()
  await close()
})
