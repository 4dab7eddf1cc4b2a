import { expect, test } from 'vitest'
import { askedWords, fold, plainWords } from './words.ts'

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
  ['"red shirt" -cotton', '"red shirt" -cotton'],
  ['usb-c', 'usb c'],
  ["'); drop table x; --", 'drop table x'],
  ['a & b | !c <-> d:*', 'a b c d'],
  ['-', ''],
])('a question keeps phrases and exclusions and no other syntax: %s', (given, asked) => {
  expect(askedWords(given)).toBe(asked)
})
