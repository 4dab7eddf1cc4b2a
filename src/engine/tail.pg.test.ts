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
