import { expect, test } from 'vitest'
import { doneWithin, expectedMs, firstPace, learned } from './pace.ts'

type Batches = [commands: number, ms: number][]

const after = (batches: Batches, most = 1_000) =>
  batches.reduce((pace, [commands, ms]) => learned(pace, commands, ms), firstPace(most))

test.each<[string, Batches, room: number]>([
  ['before any', [], 64],
  ['one that was quick: four times as many', [[64, 10]], 256],
  ['one that took no time that can be measured', [[64, 0]], 256],
  ['quick ones: never more than the most', Array.from({ length: 9 }, (_, n) => [4 ** n, 10]), 1_000],
  [
    'a quick one of few: the room of before',
    [
      [64, 10],
      [1, 10],
    ],
    256,
  ],
  ['one in half the time: twice as many', [[64, 500]], 128],
  ['one in just the time: as many', [[64, 1_000]], 64],
  ['one in four times the time: a quarter', [[64, 4_000]], 16],
  [
    'a slow one of few: fewer still',
    [
      [64, 10],
      [8, 2_000],
    ],
    4,
  ],
  ['one command slower than a batch should be: one at a time', [[1, 8_000]], 1],
  [
    'slow ones and then quick ones: as many as ever',
    [
      [64, 8_000],
      [8, 10],
      [32, 10],
      [128, 10],
      [512, 10],
    ],
    1_000,
  ],
])('the next batch has room after %s', (_, batches, room) => {
  expect(after(batches).room).toBe(room)
})

test('a lane that may have few commands in a batch begins with no more', () => {
  expect(firstPace(4).room).toBe(4)
  expect(after([[4, 10]], 4).room).toBe(4)
})

test('at five milliseconds a command, batches come to take a second, and stay there', () => {
  let pace = firstPace(1_000)
  for (let n = 0; n < 10; n++) pace = learned(pace, pace.room, 5 * pace.room)
  expect(pace.room).toBe(200)
})

test.each<[string, Batches, ms: number]>([
  ['before any batch nothing is known', [], 0],
  [
    'batches that may still grow say nothing',
    [
      [10, 100],
      [10, 100],
    ],
    0,
  ],
  [
    'full ones say what a command takes',
    [
      [1_000, 50],
      [1_000, 50],
    ],
    5,
  ],
  [
    'so do ones that took their time',
    [
      [100, 1_000],
      [100, 1_000],
    ],
    1_000,
  ],
  [
    'of two the quicker one counts',
    [
      [100, 1_000],
      [100, 600],
    ],
    600,
  ],
  [
    'one that was slow among quick ones says nothing',
    [
      [10, 5],
      [10, 3_000],
    ],
    0,
  ],
  [
    'nor does it when it is over',
    [
      [10, 3_000],
      [10, 5],
    ],
    0,
  ],
])('how long a hundred will wait: %s', (_, batches, ms) => {
  expect(expectedMs(after(batches), 100)).toBeCloseTo(ms)
})

test('without a measure there is no end to those who will be reached in time', () => {
  expect(doneWithin(after([]), 1_000)).toBe(Number.POSITIVE_INFINITY)
  expect(
    doneWithin(
      after([
        [100, 1_000],
        [100, 1_000],
      ]),
      2_500,
    ),
  ).toBe(250)
})
