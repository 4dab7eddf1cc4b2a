import { expect, test } from 'vitest'
import { stem } from './stem.ts'

// Porter's own examples, and what shops sell.
test.each([
  ['caresses', 'caress'],
  ['ponies', 'poni'],
  ['cats', 'cat'],
  ['feed', 'feed'],
  ['agreed', 'agre'],
  ['plastered', 'plaster'],
  ['motoring', 'motor'],
  ['sing', 'sing'],
  ['conflated', 'conflat'],
  ['hopping', 'hop'],
  ['falling', 'fall'],
  ['filing', 'file'],
  ['happy', 'happi'],
  ['sky', 'sky'],
  ['relational', 'relat'],
  ['vietnamization', 'vietnam'],
  ['electricity', 'electr'],
  ['goodness', 'good'],
  ['adjustment', 'adjust'],
  ['adoption', 'adopt'],
  ['controller', 'control'],
  ['rate', 'rate'],
  ['cease', 'ceas'],
  ['roll', 'roll'],
  ['yes', 'ye'],
  ['mp3', 'mp3'],
  ['größe', 'größe'],
  ['tv', 'tv'],
])('%s → %s', (word, stemmed) => {
  expect(stem(word)).toBe(stemmed)
})

test.each([
  ['shoes', 'shoe'],
  ['torches', 'torch'],
  ['running', 'run'],
  ['dresses', 'dress'],
  ['batteries', 'battery'],
  ['knives', 'knive'],
  ['boxes', 'box'],
])('%s and %s have the same stem', (one, other) => {
  expect(stem(one)).toBe(stem(other))
})
