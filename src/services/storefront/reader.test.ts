import type { ServerResponse } from 'node:http'
import { afterEach, expect, test, vi } from 'vitest'
import { Narrow } from '../../engine/event-stream-testing.ts'
import { languageFor, readLanguages } from './messages.ts'
import { Reader } from './reader.ts'

const english = languageFor('en', readLanguages())
const open = (room: number) => {
  const socket = new Narrow(room)
  return { socket, reader: new Reader(socket as unknown as ServerResponse, english) }
}
const told = ({ written }: Narrow) => written.flatMap((text) => /data: (.*)/.exec(text)?.[1] ?? [])

afterEach(() => void vi.useRealTimers())

test('a slow reader misses states in between, and only things followed wait for it', () => {
  const { socket, reader } = open(2)
  for (let n = 1; n <= 1_000; n++) {
    reader.push('a', n, 'product', { a: n })
    reader.push('b', n, 'product', { b: n })
  }
  expect(told(socket)).toEqual(['{"a":1}'])
  expect(reader.waiting).toBe(2)
  socket.drain(9)
  expect(told(socket)).toEqual(['{"a":1}', '{"a":1000}', '{"b":1000}'])
})

test('an older state never follows a newer one, and none is told twice', () => {
  const { socket, reader } = open(9)
  reader.since(1)
  reader.push('a', 1, 'product', { a: 'told before' })
  reader.push('a', 2, 'product', { a: 'new' })
  reader.push('a', 2, 'product', { a: 'again' })
  reader.push('a', 1, 'product', { a: 'old' })
  expect(told(socket)).toEqual(['{"a":"new"}'])
})

test('a place is given once all before it is on its way, and not before everything was told once', () => {
  const { socket, reader } = open(3)
  reader.push('a', 1, 'product', {})
  reader.reached(5)
  expect(socket.written.join('')).not.toContain('id:')
  reader.push('b', 2, 'product', {})
  reader.push('c', 3, 'product', {})
  reader.begin(3)
  expect(socket.written.join('')).not.toContain('id:')
  socket.drain(9)
  expect(socket.written.at(-1)).toBe('id: 3\n\n')
})

test('a reader that takes nothing for half a minute is let go, one that drains is kept', () => {
  vi.useFakeTimers()
  const { socket, reader } = open(2)
  let gone = false
  reader.onEnd(() => (gone = true))
  reader.push('a', 1, 'product', {})
  vi.advanceTimersByTime(29_000)
  socket.drain(1)
  reader.push('a', 2, 'product', {})
  vi.advanceTimersByTime(29_000)
  expect(gone).toBe(false)
  vi.advanceTimersByTime(2_000)
  expect([gone, socket.ended, reader.waiting]).toEqual([true, 'destroyed', 0])
})

test('a heartbeat is only sent where there is room', () => {
  const { socket, reader } = open(3)
  reader.beat()
  reader.push('a', 1, 'product', {})
  reader.beat()
  expect(socket.written.filter((text) => text.startsWith(':'))).toHaveLength(1)
})
