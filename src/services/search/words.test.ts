import { expect, test } from 'vitest'
import { askedWords, fold, plainWords, searchVector } from './words.ts'

test.each([
  ['Crème Brûlée', 'creme brulee'],
  ['Straße Ærø Łódź', 'strasse aero lodz'],
  ['İstanbul', 'istanbul'],
  ['plain ASCII', 'plain ascii'],
  ['ﬁne', 'fine'],
])('folding takes accents and case away: %s', (given, folded) => {
  expect(fold(given)).toBe(folded)
})

test.each([
  ['usb-c/hdmi (2.0)', 'usb c hdmi 2 0'],
  ['  a\n\tb  ', 'a b'],
  ['***', ''],
])('words lose everything between them: %j', (given, words) => {
  expect(plainWords(given)).toBe(words)
})

test.each([
  ['"red shirts" -cotton', '"red shirt" -cotton'],
  ['usb-c', 'usb c'],
  ["'); drop table x; --", 'drop tabl x'],
  ['a & b | !c <-> d:*', 'a b c d'],
  ['-', ''],
])('a question keeps phrases and exclusions and no other syntax: %s', (given, asked) => {
  expect(askedWords(given)).toBe(asked)
})

test('a vector holds stems with their places and weights', () => {
  const vector = searchVector([
    { words: 'red shoes', weight: 'A' },
    { words: '', weight: 'B' },
    { words: 'shoe for running', weight: 'D' },
  ])
  expect(vector).toBe('red:1A shoe:2A,3 for:4 run:5 ')
  expect(searchVector([{ words: 'x '.repeat(10_000), weight: 'D' }]).split(',')).toHaveLength(5_000)
})
