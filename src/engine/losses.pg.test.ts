import { expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { notesService } from '../../test/notes.ts'
import { testEngine } from '../testing.ts'
import { acceptLoss, listLost, standingLoss } from './losses.ts'

async function written() {
  const { url } = await createTestDatabase()
  const { engine, services } = await testEngine(url, (engine) => [notesService(engine)])
  const write = async (id: string) => {
    await services[0]?.execute({ id, text: id }, { correlationId: id })
    await engine.settle()
  }
  for (const id of ['a', 'b', 'c']) await write(id)
  return { url, engine, write }
}

test('an owner whose last checkpoint was lost, with what it wrote, begins where the database has it', async () => {
  const { engine, write } = await written()
  await using _ = engine
  const { db } = engine
  await db`update lockstep.consumers set position = 1`
  await db`delete from copies where id <> 'note/a'`
  await db`delete from diary where entity <> 'note/a'`
  await write('d')
  expect(await db`select id from copies order by id`).toMatchObject(
    ['a', 'b', 'c', 'd'].map((n) => ({ id: `note/${n}` })),
  )
  expect(await db`select entity from diary order by n`).toHaveLength(4)
})

test('a log that went back under a running process ends it; what is gone is kept, and the next one begins once that is accepted', async () => {
  const { url, engine } = await written()
  await using _ = engine
  const { db } = engine
  const running = engine.run(new AbortController().signal)
  await db.begin(async (tx) => {
    await tx`delete from lockstep.events where position > 1`
    await tx`delete from notes where id <> 'note/a'`
    await tx`update lockstep.head set position = 1`
    await tx`update lockstep.consumers set position = 1, epoch = epoch + 1`
  })
  await expect(running).rejects.toThrow('log went back: 2 events from 2 to 3 were seen and are in the log no more')
  expect(await listLost(db)).toMatchObject([
    { position: 2, entity: 'note/b', data: { text: 'b' }, meta: { correlationId: 'b' } },
    { position: 3, entity: 'note/c' },
  ])

  const next = await testEngine(url, (engine) => [notesService(engine)])
  await using __ = next.engine
  await expect(next.services[0]?.execute({ id: 'd', text: 'd' })).rejects.toThrow(/^log went back/)
  const stop = new AbortController()
  const again = next.engine.run(stop.signal)
  expect(await acceptLoss(db)).toBe(2)
  expect(await standingLoss(db)).toBeUndefined()
  await expect
    .poll(() => next.services[0]?.execute({ id: 'd', text: 'd' }).catch(() => undefined))
    .toMatchObject({ versions: { 'note/d': 1 } })
  stop.abort()
  await again
})
