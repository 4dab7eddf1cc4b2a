import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { type Database, openDatabase, type Sql } from '../../src/engine/database.ts'
import { append, LogBroken, read } from '../../src/engine/log.ts'
import { migrate } from '../../src/engine/migrate.ts'
import { createTestDatabase } from '../database.ts'
import { type Random, seededTest } from './seed.ts'

/** Transactions that take their place in the log and then dawdle, as a slow network or a paused process would make them. */
async function dawdle(random: Random, databases: Database[], place: (tx: Sql, writer: number) => Promise<unknown>) {
  await Promise.all(
    Array.from({ length: 12 }, async (_, writer) => {
      for (let n = 0; n < 12; n++) {
        await databases[writer % databases.length]?.begin(async (tx) => {
          await place(tx, writer)
          if (random() < 0.5) await pause(random.between(0, 6))
        })
        await pause(random.between(0, 4))
      }
    }),
  )
}

/** Follows from the last position seen, as fast as it can, until told that everything is written; answers the positions in the order seen. */
async function follow(readAfter: (last: number) => Promise<number[]>, written: Promise<void>) {
  const seen: number[] = []
  let done = false
  void written.then(() => (done = true))
  for (;;) {
    const last = done
    const next = await readAfter(seen.at(-1) ?? 0)
    seen.push(...next)
    if (last && next.length === 0) return seen
  }
}

seededTest(
  'a reader that follows the log while writers dawdle before their commits sees every event once and in order; one that follows a sequence does not',
  async (random) => {
    const { url } = await createTestDatabase()
    const [db, other] = [openDatabase(url, { max: 8 }), openDatabase(url, { max: 8 })]
    await migrate(db, [])
    const versions = new Map<number, number>()
    const log = dawdle(random, [db, other], (tx, writer) => {
      const version = (versions.get(writer) ?? 0) + 1
      versions.set(writer, version)
      const entity = `note/${writer}`
      return append(tx, [{ type: 'note.written', key: `${writer}`, entity, version, source: 'notes', data: {} }])
    })
    const fromLog = await follow(async (last) => (await read(db, last, 50)).map((event) => event.position), log)
    expect(fromLog).toEqual(Array.from({ length: 144 }, (_, n) => n + 1))

    await db`create table sequenced (id bigserial primary key)`
    const sequence = dawdle(random, [db, other], (tx) => tx`insert into sequenced default values`)
    const fromSequence = await follow(
      async (last) =>
        (await db<{ id: number }>`select id from sequenced where id > ${last} order by id`).map((row) => row.id),
      sequence,
    )
    const [row] = await db<{ n: number }>`select count(*)::int as n from sequenced`
    expect(row?.n).toBe(144)
    expect(fromSequence.length).toBeLessThan(144) // what a bare sequence loses, in the same conditions
    await Promise.all([db.close(), other.close()])
  },
)

test('a reader stops loudly where an event is missing', async () => {
  const { url } = await createTestDatabase()
  const db = openDatabase(url)
  await migrate(db, [])
  const events = [1, 2, 3, 4, 5].map((version) => ({
    ...{ type: 'note.written', key: '1', entity: 'note/1', version, source: 'notes', data: {} },
  }))
  await db.begin((tx) => append(tx, events))
  await db`delete from lockstep.events where position = 3`
  await expect(read(db, 0, 10)).rejects.toThrow(LogBroken)
  await expect(read(db, 2, 10)).rejects.toThrow('the log has no event 3; the next one is 4')
  expect((await read(db, 3, 10)).map((event) => event.position)).toEqual([4, 5])
  await db.close()
})

test('the schema itself refuses a version of an entity twice', async () => {
  const { url } = await createTestDatabase()
  const db = openDatabase(url)
  await migrate(db, [])
  const event = { type: 'note.written', key: '1', entity: 'note/1', version: 1, source: 'notes', data: {} }
  await db.begin((tx) => append(tx, [event]))
  await expect(db.begin((tx) => append(tx, [event]))).rejects.toMatchObject({ code: '23505' })
  expect(await db`select position from lockstep.head`).toEqual([{ position: 1 }])
  await db.close()
})
