import { expect, test } from 'vitest'
import { InFlight } from './in-flight.ts'

/** Works that end when they are told to. */
function works() {
  const ends: (() => void)[] = []
  const begin = () => new Promise<void>((resolve) => ends.push(resolve))
  return { ends, begin }
}

const turns = () => new Promise((resolve) => setImmediate(resolve))

test('as many works as there is room for are under way at once, and the next begins when one ends', async () => {
  const { ends, begin } = works()
  const inFlight = new InFlight(2)
  await inFlight.add(begin)
  await inFlight.add(begin)
  const third = inFlight.add(begin)
  await turns()
  expect(ends.length).toBe(2)
  ends[0]?.()
  await third
  expect(ends.length).toBe(3)
})

test('large works wait for one another although their number is small, and what is larger than all the room goes alone', async () => {
  const { ends, begin } = works()
  const inFlight = new InFlight(10, 100)
  await inFlight.add(begin, 60)
  await inFlight.add(begin, 40)
  const vast = inFlight.add(begin, 500)
  await turns()
  ends[0]?.()
  await turns()
  expect(ends.length).toBe(2)
  ends[1]?.()
  await vast
  expect(ends.length).toBe(3)
  const small = inFlight.add(begin, 1)
  await turns()
  expect(ends.length).toBe(3)
  ends[2]?.()
  await small
  expect(ends.length).toBe(4)
})

test('a failure is told to whoever adds next, and at the end', async () => {
  const inFlight = new InFlight(2)
  await inFlight.add(() => Promise.reject(new Error('the disk is full')))
  await turns()
  await expect(inFlight.add(() => Promise.resolve())).rejects.toThrow('the disk is full')
  await expect(inFlight.all()).rejects.toThrow('the disk is full')
})
