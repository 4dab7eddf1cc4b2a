import type { ServerResponse } from 'node:http'
import { afterEach, expect, test, vi } from 'vitest'
import { Narrow } from '../../engine/event-stream-testing.ts'
import { Follower, type Told } from './follower.ts'

const happened = (version: number): Told => ({ version, event: 'cart.validated', data: { version } })
const told = ({ written }: Narrow) => written.flatMap((text) => /id: (\d+)\nevent: (.*)/.exec(text)?.slice(1, 3) ?? [])

/** A log of so many events, of which those up to `thinned` are gone; `reads` counts the questions. */
function open(room: number, seen?: number, log = { last: 0, thinned: 0 }) {
  const socket = new Narrow(room)
  const reads = { after: 0, now: 0, broken: false }
  const source = {
    async after(version: number) {
      reads.after++
      if (reads.broken) throw new Error('away')
      const from = Math.max(version, log.thinned)
      return Array.from({ length: Math.min(3, log.last - from) }, (_, n) => happened(from + n + 1))
    },
    async now() {
      reads.now++
      return { version: log.last, event: 'cart', data: {} }
    },
  }
  return { socket, log, reads, follower: new Follower(socket as unknown as ServerResponse, source, seen) }
}

afterEach(() => void vi.useRealTimers())

test('who comes for the first time is told how the cart stands, then what happens, without asking the log again', async () => {
  const { socket, log, reads, follower } = open(99)
  log.last = 4
  await follower.catchUp()
  const asked = reads.after
  follower.heard(happened(5))
  follower.heard(happened(5))
  follower.heard(happened(4))
  expect(told(socket)).toEqual(['4', 'cart', '5', 'cart.validated'])
  expect(reads).toMatchObject({ after: asked, now: 1 })
})

test('who comes again is told each event since, over several pages, and one that was heard early in its turn', async () => {
  const { socket, log, follower } = open(99, 2)
  log.last = 9
  const done = follower.catchUp()
  follower.heard(happened(9))
  await done
  expect(told(socket).filter((_, n) => n % 2 === 0)).toEqual(['3', '4', '5', '6', '7', '8', '9'])
})

test('what was not heard of is found in the log', async () => {
  const { socket, log, follower } = open(99, 1)
  await follower.catchUp()
  log.last = 4
  follower.heard(happened(4))
  await vi.waitFor(() => expect(told(socket).filter((_, n) => n % 2 === 0)).toEqual(['2', '3', '4']))
})

test('who saw what the log has no more is told how the cart stands', async () => {
  const { socket, follower } = open(99, 2, { last: 8, thinned: 5 })
  await follower.catchUp()
  expect(told(socket)).toEqual(['8', 'cart'])
})

test('nothing is kept for a reader without room: it is read when he has some', async () => {
  const { socket, log, reads, follower } = open(3, 0)
  await follower.catchUp()
  for (log.last = 1; log.last <= 1_000; log.last++) follower.heard(happened(log.last))
  log.last = 1_000
  const asked = reads.after
  expect(told(socket).filter((_, n) => n % 2 === 0)).toEqual(['1', '2'])
  expect(asked).toBe(1)
  socket.drain(2_000)
  await vi.waitFor(() => expect(told(socket)).toHaveLength(2_000))
  expect(told(socket).filter((_, n) => n % 2 === 0)).toEqual(Array.from({ length: 1_000 }, (_, n) => `${n + 1}`))
})

test('one that takes nothing for half a minute is let go, one that drains is kept', async () => {
  vi.useFakeTimers()
  const { socket, follower } = open(2, 0)
  let gone = false
  follower.onEnd(() => (gone = true))
  await follower.catchUp()
  follower.heard(happened(1))
  vi.advanceTimersByTime(29_000)
  socket.drain(1)
  follower.heard(happened(2))
  vi.advanceTimersByTime(29_000)
  expect(gone).toBe(false)
  vi.advanceTimersByTime(2_000)
  expect([gone, socket.ended]).toEqual([true, 'destroyed'])
})

test('what can not be read is tried again', async () => {
  vi.useFakeTimers()
  const { socket, log, reads, follower } = open(99, 0)
  reads.broken = true
  log.last = 2
  await follower.catchUp()
  expect(told(socket)).toEqual([])
  reads.broken = false
  await vi.advanceTimersByTimeAsync(2_000)
  expect(told(socket)).toEqual(['1', 'cart.validated', '2', 'cart.validated'])
})
