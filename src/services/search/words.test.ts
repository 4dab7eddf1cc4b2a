import { expect, test } from 'vitest'
import { askedLexemes, fold, plainWords, searchVector } from './words.ts'

test.each([
  ['Crème Brûlée', 'creme brulee'],
  ['Straße Ærø Łódź', 'strasse aero lodz'],
  ['İstanbul', 'istanbul'],
  ['plain ASCII', 'plain ascii'],
  ['ﬁne', 'fine'],
  ['ёлка', 'елка'],
  ['مَكْتَبَة', 'مكتبه'],
  ['أحمد', 'احمد'],
  ['パン', 'パン'],
  ['हिन्दी', 'हिन्दी'],
  ['노트북', '노트북'],
])('folding takes accents and case away, and no letters: %s', (given, folded) => {
  expect(fold(given)).toBe(folded)
})

test.each([
  ['usb-c/hdmi (2.0)', 'usb c hdmi 2 0'],
  ['  a\n\tb  ', 'a b'],
  ['***', ''],
  ['iPhone手机壳 黑', 'iphone 手机壳 黑'],
])('words lose everything between them: %j', (given, words) => {
  expect(plainWords(given)).toBe(words)
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

test('a vector holds what is written without spaces letter by letter and pair by pair, and other alphabets in Latin letters too', () => {
  expect(searchVector([{ words: '手机壳', weight: 'A' }])).toBe('手:1A 手机:1A 机:2A 机壳:2A 壳:3A ')
  expect(searchVector([{ words: 'шкаф', weight: 'A' }])).toBe('шкаф:1A shkaf:1A ')
})

test.each([
  ['shoes', ['shoe']],
  ['手', ['手']],
  ['手机壳', ['手机', '机壳']],
  ['шкаф', ['шкаф']],
  ['x'.repeat(101), []],
])('%s is asked for by %j', (word, lexemes) => {
  expect(askedLexemes(word)).toEqual(lexemes)
})
