import { expect, test } from 'vitest'
import { openWire } from '../../test/chaos/network.ts'
import { overhear } from '../../test/chaos/overhear.ts'
import { createTestDatabase } from '../../test/database.ts'
import { notes, notesService, type WriteNote } from '../../test/notes.ts'
import { testEngine } from '../testing.ts'
import type { Executed } from './executor.ts'

const BATCH = 4

/** Commands for so many batches, all in one turn. */
const executeAll = (services: { execute(command: WriteNote): Promise<Executed> }[], batches: number) =>
  Promise.all(
    services.flatMap((service) =>
      Array.from({ length: batches * BATCH }, (_, n) =>
        service.execute({ id: `${n % BATCH}`, text: `of batch ${Math.floor(n / BATCH)}` }),
      ),
    ),
  )
const versions = (executed: Executed[]) => executed.map(({ versions }) => Object.values(versions)[0])
const inTurn = (batches: number) => Array.from({ length: batches * BATCH }, (_, n) => 1 + Math.floor(n / BATCH))

test('a batch is sent behind the commit of the one before without waiting for its answer, also when more wait than two full ones hold', async () => {
  const { url } = await createTestDatabase()
  const wire = await openWire(url)
  const { engine, services } = await testEngine(wire.url, (engine) => [notesService(engine)], { batchMost: BATCH })
  let commit = wire.holdAnswer('COMMIT')
  const executed = executeAll(services, 5)
  executed.catch(() => {})
  for (const next of ['of batch 1', 'of batch 2']) {
    const answer = await commit
    await expect.poll(() => answer.hasSent(next), { timeout: 10_000 }).toBe(true)
    if (next === 'of batch 1') commit = wire.holdAnswer('COMMIT')
    answer.release()
  }
  expect(versions(await executed)).toEqual(inTurn(5))
  await engine.close()
})

test('a batch need not be full for that, only as large as the one before', async () => {
  const { url } = await createTestDatabase()
  const wire = await openWire(url)
  const { engine, services } = await testEngine(wire.url, (engine) => [notesService(engine)])
  const write = (text: string, ids: string[]) =>
    Promise.all(services.flatMap((service) => ids.map((id) => service.execute({ id, text }))))
  const commit = wire.holdAnswer('COMMIT')
  const first = write('first', ['0', '1'])
  const answer = await commit
  const second = write('second', ['0', '1'])
  await expect.poll(() => answer.hasSent('second'), { timeout: 10_000 }).toBe(true)
  answer.release()
  expect(versions(await first)).toEqual([1, 1])
  expect(versions(await second)).toEqual([2, 2])
  await engine.close()
})

test('a connection that ends under a commit and the batch behind it: what either asked for is carried out once', async () => {
  const { url } = await createTestDatabase()
  const wire = await openWire(url)
  const { engine, services } = await testEngine(wire.url, (engine) => [notesService(engine)])
  const write = (text: string) =>
    Promise.all(services.flatMap((service) => ['0', '1'].map((id) => service.execute({ id, text }))))
  const commit = wire.holdAnswer('COMMIT')
  const first = write('first')
  const answer = await commit
  const second = write('second')
  await expect.poll(() => answer.hasSent('second'), { timeout: 10_000 }).toBe(true)
  wire.cut('reset')
  expect(versions(await first)).toEqual([1, 1])
  expect(versions(await second)).toEqual([2, 2])
  const told =
    await engine.db`select entity, version::int, data ->> 'text' as text from lockstep.events order by position`
  expect(told).toEqual([
    { entity: 'note/0', version: 1, text: 'first' },
    { entity: 'note/1', version: 1, text: 'first' },
    { entity: 'note/0', version: 2, text: 'second' },
    { entity: 'note/1', version: 2, text: 'second' },
  ])
  await engine.close()
})

test('a batch that was guessed has left, with its commit, before the next one is decided', async () => {
  const { url } = await createTestDatabase()
  const wire = await overhear(url, 'note.written') // stands once for each event, in what appends them
  const left: boolean[] = []
  const watched = {
    ...notes,
    decider: {
      ...notes.decider,
      decide(states: Parameters<typeof notes.decider.decide>[0], command: WriteNote, now: Date) {
        if (command.id === '0' && command.text === 'of batch 2') left.push(wire.hasHeard(2 * BATCH))
        return notes.decider.decide(states, command, now)
      },
    },
  }
  const service = (engine: Parameters<typeof notesService>[0]) => ({
    ...notesService(engine),
    ...engine.executor(watched),
  })
  const { engine, services } = await testEngine(wire.url, (engine) => [service(engine)], { batchMost: BATCH })
  expect(versions(await executeAll(services, 3))).toEqual(inTurn(3))
  expect(left).toEqual([true])
  await engine.close()
})
