import { expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { notesService } from '../../test/notes.ts'
import { testEngine } from '../testing.ts'
import type { LoggedEvent } from './event.ts'
import { Tail } from './tail.ts'

test('what the tail has in memory and what it has not read as one log, wherever a reader begins', async () => {
  const { url } = await createTestDatabase()
  const { engine, services } = await testEngine(url, (engine) => [notesService(engine)])
  await using _ = engine
  const write = (n: number) =>
    Promise.all(Array.from({ length: n }, (_, m) => services[0]?.execute({ id: `${m % 7}`, text: `${m}` })))
  await write(50)
  const tail = new Tail(engine.db)
  await tail.runOnce() // begins at the log's end
  expect(tail.position).toBe(50)
  await write(50)
  while (await tail.runOnce());
  expect(tail.position).toBe(100)
  const positions = async (after: number, limit: number) =>
    (await tail.read(after, limit)).map((event) => event.position)
  const upTo = (after: number, limit: number) =>
    Array.from({ length: Math.max(0, Math.min(limit, 100 - after)) }, (_, n) => after + 1 + n)
  for (const [after, limit] of [
    [0, 10],
    [45, 10],
    [49, 3],
    [50, 50],
    [51, 2],
    [99, 10],
    [100, 10],
  ] as const)
    expect(await positions(after, limit)).toEqual(upTo(after, limit))
})

test('observers see each event once, only of the types they asked for, and in order', async () => {
  const { url } = await createTestDatabase()
  const { engine, services } = await testEngine(url, (engine) => [notesService(engine)])
  await using _ = engine
  const seen: LoggedEvent[] = []
  const others: LoggedEvent[] = []
  engine.observe(['note.*'], (events) => void seen.push(...events))
  engine.observe(['product.*'], (events) => void others.push(...events))
  await Promise.all(Array.from({ length: 300 }, (_, n) => services[0]?.execute({ id: `${n}`, text: 'x' })))
  await engine.settle()
  expect(seen.map((event) => event.position)).toEqual(Array.from({ length: 300 }, (_, n) => n + 1))
  expect(others).toEqual([])
})

test('of two processes that append at once each sees its own and the other’s events once, in order and without a gap', async () => {
  const { url } = await createTestDatabase()
  const stop = new AbortController()
  const open = async () => {
    const { engine, services } = await testEngine(url, (engine) => [notesService(engine)])
    const positions: number[] = []
    const whole = Promise.withResolvers<void>()
    engine.observe(['note.*'], (events) => {
      positions.push(...events.map((event) => event.position))
      if (positions.length >= 600) whole.resolve()
    })
    engine.tail.position = 0
    return { engine, service: services[0], positions, whole: whole.promise, running: engine.run(stop.signal) }
  }
  const both = [await open(), await open()]
  await Promise.all(
    both.flatMap(({ service }, p) =>
      Array.from({ length: 300 }, (_, n) => service?.execute({ id: `${p} ${n % 50}`, text: `${n}` })),
    ),
  )
  await Promise.all(both.map(({ whole }) => whole))
  for (const { positions } of both) expect(positions).toEqual(Array.from({ length: 600 }, (_, n) => n + 1))
  stop.abort()
  for (const { engine, running } of both) {
    await running
    await engine.close()
  }
})
