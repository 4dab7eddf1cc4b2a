import { expect, test } from 'vitest'
import { OutcomeUnknown, Unavailable } from './unavailable.ts'
import { GiveUp, RetryAfter, verdict } from './verdict.ts'

const policy = { attempts: 3, firstMs: 100, maxMs: 250 }
const lockTimeout = Object.assign(new Error('canceling statement due to lock timeout'), { code: '55P03' })

test.each([
  ['the first try waits for the first time', new Error(), 1, 0, { dead: false, retryInMs: 100, counts: true }],
  ['the second waits for twice as long', new Error(), 2, 0, { dead: false, retryInMs: 200, counts: true }],
  ['jitter adds a fifth at most', new Error(), 1, 0.9999, { dead: false, retryInMs: 120, counts: true }],
  ['the third was the last', new Error(), 3, 0, { dead: true }],
  ['more than allowed are not revived', new Error(), 4, 0, { dead: true }],
  ['a handler that gives up is not tried again', new GiveUp('no'), 1, 0, { dead: true }],
  ['a handler that names its time gets it', new RetryAfter(7), 1, 0, { dead: false, retryInMs: 7, counts: false }],
  ['its time is not a try, even at the last', new RetryAfter(7), 3, 0, { dead: false, retryInMs: 7, counts: false }],
  ['rows held by somebody are no try', lockTimeout, 3, 0, { dead: false, retryInMs: 250, counts: false }],
  [
    'a command turned away for now is no try',
    new Unavailable('', {}, 5),
    3,
    0,
    { dead: false, retryInMs: 5_000, counts: false },
  ],
  ['nor is one of unknown outcome', new OutcomeUnknown(), 3, 0, { dead: false, retryInMs: 1_000, counts: false }],
  ['what is no error at all counts as one', 'a string', 1, 0, { dead: false, retryInMs: 100, counts: true }],
  ['nothing thrown counts as one', undefined, 3, 0, { dead: true }],
] as const)('%s', (_, error, attempt, random, expected) => {
  expect(verdict(error, attempt, policy, random)).toEqual(expected)
})

test('waits stop growing at the longest', () => {
  const waits = [1, 2, 3, 4, 50].map((attempt) => verdict(new Error(), attempt, { ...policy, attempts: 99 }, 0))
  expect(waits.map((each) => !each.dead && each.retryInMs)).toEqual([100, 200, 250, 250, 250])
})
