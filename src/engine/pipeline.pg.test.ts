import fc from 'fast-check'
import { expect, test } from 'vitest'
import { overhear } from '../../test/chaos/overhear.ts'
import { createTestDatabase } from '../../test/database.ts'
import { type Database, openDatabase, type Session } from './database.ts'

async function open(): Promise<Database> {
  const { url } = await createTestDatabase()
  const db = openDatabase(url, { max: 3 })
  await db`create table notes (id int primary key, text text)`
  return db
}

async function withSession(work: (session: Session, db: Database) => Promise<void>) {
  const db = await open()
  const session = await db.reserve()
  try {
    await work(session, db)
  } finally {
    session.release()
    await db.close()
  }
}

const ids = async (sql: Database | Session) =>
  (await sql<{ id: number }>`select id from notes order by id`).map(({ id }) => id)

test('statements of one turn are carried out in order, and each is told its own rows', () =>
  withSession(async (session) => {
    const [, one, none, all] = await Promise.all([
      session`begin`,
      session`insert into notes values (${1}, 'a'), (${2}, 'b') returning id`,
      session`delete from notes where id = ${7} returning id`,
      session`select id, text from notes order by id`,
      session`commit`,
    ])
    expect([one.count, one.command, [...one]]).toEqual([2, 'INSERT', [{ id: 1 }, { id: 2 }]])
    expect([none.count, none.command, [...none]]).toEqual([0, 'DELETE', []])
    expect([...all]).toEqual([
      { id: 1, text: 'a' },
      { id: 2, text: 'b' },
    ])
  }))

test('in a transaction what follows a failure in the same turn fails with its error, and nothing stays', () =>
  withSession(async (session) => {
    const outcomes = await Promise.allSettled([
      session`begin`,
      session`insert into notes values (1)`,
      session`insert into notes values (${1})`,
      session`select 1 as one`,
      session`commit`,
    ])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'rejected', 'rejected'])
    for (const outcome of outcomes)
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: '23505' })
    await session`rollback`
    expect(await ids(session)).toEqual([])
  }))

test('a statement that Postgres did not get to for a failure before it can be run afterwards', () =>
  withSession(async (session) => {
    const one = () => session<{ one: number }>`select 1 as one`
    await expect(Promise.all([session`begin`, session`select 1 / ${0}::int`, one()])).rejects.toMatchObject({
      code: '22012',
    })
    await session`rollback`
    expect([...(await one()), ...(await one())]).toEqual([{ one: 1 }, { one: 1 }])
  }))

test('a failed statement can be run again on the same connection', () =>
  withSession(async (session) => {
    const insert = (id: number) => session`insert into notes values (${id}) returning id`
    await insert(1)
    await expect(insert(1)).rejects.toMatchObject({ code: '23505' })
    expect([...(await insert(2))]).toEqual([{ id: 2 }])
  }))

test('outside of a transaction the statements of one turn are done together or not at all', () =>
  withSession(async (session) => {
    const outcomes = await Promise.allSettled([session`insert into notes values (1)`, session`select 1 / ${0}::int`])
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await ids(session)).toEqual([])
  }))

test('a column that was added is seen by a statement that was prepared before it, from the second time on', () =>
  withSession(async (session, db) => {
    const all = () => session`select * from notes`
    await all()
    await db`alter table notes add column more int default 3`
    await db`insert into notes values (1, 'a')`
    await expect(all()).rejects.toMatchObject({ code: '0A000' })
    expect([...(await all())]).toEqual([{ id: 1, text: 'a', more: 3 }])
  }))

test('a value that can not be sent fails its own statement alone', () =>
  withSession(async (session) => {
    const [bad, good] = await Promise.allSettled([
      session`select ${new Date(Number.NaN)}::timestamptz`,
      session<{ one: number }>`select 1 as one`,
    ])
    expect(bad).toMatchObject({ status: 'rejected', reason: { name: 'RangeError' } })
    expect(good).toMatchObject({ status: 'fulfilled', value: [{ one: 1 }] })
  }))

test('what is flushed is answered while what follows in the same turn is still at work', () =>
  withSession(async (session, db) => {
    await session`begin`
    const first = session<{ one: number }>`select 1 as one`
    session.flush()
    const second = session`select pg_sleep(60)`
    second.catch(() => {})
    expect([...(await first)]).toEqual([{ one: 1 }])
    const sleeping = () => db<{ at: string }>`select wait_event as at from pg_stat_activity where pid = ${session.pid}`
    await expect.poll(async () => [...(await sleeping())]).toEqual([{ at: 'PgSleep' }]) // a cancel before it began would find nothing
    await db`select pg_cancel_backend(${session.pid})`
    await expect(second).rejects.toMatchObject({ code: '57014' })
    await session`rollback`
  }))

test('what is flushed has left before the rest of its turn begins', async () => {
  const { url } = await createTestDatabase()
  const wire = await overhear(url, 'here and now')
  const db = openDatabase(wire.url)
  const session = await db.reserve()
  const first = session<{ text: string }>`select 'here and now' as text`
  session.flush()
  expect(wire.hasHeard()).toBe(true) // this thread has not moved on
  expect([...(await first)]).toEqual([{ text: 'here and now' }])
  session.release()
  await db.close()
})

test('there is no commit if what travels with it fails', async () => {
  const db = await open()
  const insert = (id: number) =>
    db.begin(
      (tx) => tx`insert into notes values (${id})`,
      (tx) => tx`select 1 / ${id - 1}::int`,
    )
  await expect(insert(1)).rejects.toMatchObject({ code: '22012' })
  await insert(2)
  expect(await ids(db)).toEqual([2])
  await db.close()
})

test('texts, numbers, dates, flags, JSON and lists of them arrive as they were', () =>
  withSession(async (session) => {
    const text = fc.string({ unit: 'binary' }).filter((each) => !each.includes('\0') && each.isWellFormed())
    const date = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.option(text)),
        fc.array(fc.option(fc.maxSafeInteger())),
        fc.array(date),
        fc.array(fc.boolean()),
        fc.uint8Array(),
        async (texts, numbers, dates, flags, bytes) => {
          const [row] = await session`
            select ${texts}::text[] as texts, ${numbers}::bigint[] as numbers, ${dates}::timestamptz[] as dates, ${flags}::boolean[] as flags,
                   ${Buffer.from(bytes)}::bytea as bytes, ${{ texts }}::json as json, ${texts[0]}::text as text`
          expect(row.texts).toEqual(texts)
          expect(row.numbers.map((each: unknown) => (each === null ? null : Number(each)))).toEqual(numbers)
          expect(row.dates).toEqual(dates)
          expect(row.flags).toEqual(flags)
          expect(row.bytes).toEqual(Buffer.from(bytes))
          expect(JSON.parse(row.json)).toEqual({ texts })
          expect(row.text).toBe(texts[0] ?? null)
        },
      ),
      { numRuns: 50 },
    )
  }))

test('a script of several statements answers its last one, in order with what was issued before it', () =>
  withSession(async (session) => {
    const before = session`insert into notes values (1)`
    const script = await session.text('insert into notes values (2); select count(*)::int as n from notes')
    await before
    expect([...script]).toEqual([{ n: 2 }])
  }))
