import { expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { notesService } from '../../test/notes.ts'
import { testEngine } from '../testing.ts'
import { projection } from './consumer.ts'
import { syncStatus } from './sync-status.ts'
import { beginWork, finishWork, handBack } from './unfinished.ts'
import { GiveUp } from './verdict.ts'

/** Begins work for every note; once `broken`, gives up instead. */
async function start() {
  const seen: number[][] = []
  const broken = new Set<string>()
  const slow = projection({
    name: 'slow',
    on: ['note.*'],
    async apply(changes, tx) {
      seen.push(changes.map(({ version }) => version))
      for (const { key } of changes) if (broken.has(key)) throw new GiveUp('it came to nothing')
      await beginWork(tx, 'slow', changes)
    },
  })
  let execute: ReturnType<typeof notesService>['execute'] | undefined
  const { engine } = await testEngine((await createTestDatabase()).url, (engine) => {
    const notes = notesService(engine)
    execute = notes.execute
    return [notes, { name: 'slow', consumers: [slow] }]
  })
  if (!execute) throw new Error('no notes')
  const statusOf = async (key: string, version?: number) => {
    const status = await syncStatus(engine.db, key, version ? { entity: `note/${key}`, version } : undefined)
    return status.consumers.find(({ consumer }) => consumer === 'slow')
  }
  return { engine, execute, statusOf, seen, broken }
}

test('a key whose event was handled stays pending until the work it began is finished', async () => {
  const { engine, execute, statusOf } = await start()
  await using _ = engine
  await execute({ id: '1', text: 'one' })
  await execute({ id: '2', text: 'two' })
  await engine.settle()
  expect(await statusOf('1')).toMatchObject({ status: 'pending', pendingSince: expect.any(Date) })
  await finishWork(engine.db, 'slow', ['1'])
  expect(await statusOf('1')).toMatchObject({ status: 'done' })
  expect(await statusOf('2')).toMatchObject({ status: 'pending' })
})

test('a newer version of a key that was finished is pending again, whether or not its event was handled', async () => {
  const { engine, execute, statusOf } = await start()
  await using _ = engine
  await execute({ id: '1', text: 'one' })
  await engine.settle()
  await finishWork(engine.db, 'slow', ['1'])
  await execute({ id: '1', text: 'two' })
  expect(await statusOf('1', 2)).toMatchObject({ status: 'pending', pendingType: 'note.written' })
  await engine.settle()
  expect(await statusOf('1', 2)).toMatchObject({ status: 'pending' })
})

test('a key that is handed back is given its latest event again, and what is thrown then is its failure', async () => {
  const { engine, execute, statusOf, seen, broken } = await start()
  await using _ = engine
  await execute({ id: '1', text: 'one' })
  await execute({ id: '1', text: 'two' })
  await engine.settle()
  broken.add('1')
  await handBack(engine.db, 'slow', ['1'])
  await engine.settle()
  expect(seen.at(-1)).toEqual([2])
  expect(await statusOf('1')).toMatchObject({ status: 'failed', attempts: 1, error: 'it came to nothing' })
  broken.clear()
  await execute({ id: '1', text: 'three' })
  await engine.settle()
  expect(await statusOf('1')).toMatchObject({ status: 'pending' })
})

test('a key that is not at work is not handed back', async () => {
  const { engine, execute, statusOf, seen } = await start()
  await using _ = engine
  await execute({ id: '1', text: 'one' })
  await engine.settle()
  await finishWork(engine.db, 'slow', ['1'])
  await handBack(engine.db, 'slow', ['1'])
  await engine.settle()
  expect(seen).toHaveLength(1)
  expect(await statusOf('1')).toMatchObject({ status: 'done' })
})
