import { expect, test } from 'vitest'
import { edits, nearest } from './spelling.ts'

test.each([
  ['', '', 0],
  ['abc', 'abc', 0],
  ['abc', 'acb', 1],
  ['kitten', 'sitting', 3],
  ['', 'abc', 3],
])('%s is so many edits from %s', (a, b, distance) => {
  expect(edits(a, b)).toBe(distance)
})

test.each([
  ['iphnoe', ['iphone', 'ipad'], ['iphone']],
  ['shirt', ['shirt', 'short', 'skirt'], ['shirt']],
  ['shrt', ['shirt', 'short', 'skirt'], ['shirt', 'short']],
  ['head', ['headphones', 'bead'], ['headphones', 'bead']],
  ['cat', ['dog'], []],
  ['lamp', [], []],
])('%s among %j means %j', (word, known, meant) => {
  expect(nearest(word, known)).toEqual(meant)
})
