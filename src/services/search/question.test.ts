import fc from 'fast-check'
import { expect, test } from 'vitest'
import { highlighted } from './highlight.ts'
import { soughtWords, termsOf, tsquery } from './question.ts'

const asked = (q: string) => tsquery({ terms: termsOf(q), join: 'all' })

test.each([
  ['red shoes', "(((('red'))) & ((('shoe'))))"],
  ['"red shirts" -cotton', "(((('red') <-> ('shirt')))) & !((('cotton')))"],
  ['usb-c', "(((('usb'))) & ((('c'))))"],
  ["'); drop table x; --", "(((('drop'))) & ((('tabl'))) & ((('x'))))"],
  ['a & b | !c', "(((('a'))) & ((('b'))) & ((('c'))))"],
  ['手机壳', "(((('手机' <-> '机壳'))))"],
  ['-', undefined],
  ['', undefined],
])('a question keeps phrases and exclusions and no other syntax: %s', (q, query) => {
  expect(asked(q)).toBe(query)
})

test('whatever is typed, a question is made of quoted letters and digits', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (q) => {
      expect(asked(q) ?? '').toMatch(/^(?:[()&|! ]|<->|'[\p{L}\p{M}\p{N}]+')*$/u)
    }),
  )
})

const marked = (text: string, q: string) =>
  highlighted(text, soughtWords({ terms: termsOf(q), join: 'all', match: 'asked' }))

test.each([
  ['Running Shoes for all', 'shoe run', '<mark>Running</mark> <mark>Shoes</mark> for all'],
  ['Crème Brûlée Torch', 'creme', '<mark>Crème</mark> Brûlée Torch'],
  ['<b onclick="x">Lamp</b>', 'lamp', '&lt;b onclick=&quot;x&quot;&gt;<mark>Lamp</mark>&lt;/b&gt;'],
  ['透明手机壳套', '手机壳', '透明<mark>手机壳</mark>套'],
  ['iPhone手机壳', 'iphone', '<mark>iPhone</mark>手机壳'],
  ['Desk', 'lamp', undefined],
])('of %j, %j is marked', (text, q, html) => {
  expect(marked(text, q)).toBe(html)
})

test('taking the marks and escapes away gives the text back, whatever it was', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 60 }),
      fc.string({ unit: 'grapheme', maxLength: 10 }),
      (text, q) => {
        const html = marked(text, q)
        if (html === undefined) return
        expect(html.replaceAll(/<\/?mark>/g, '')).not.toMatch(/[<>"']/)
        const plain = html
          .replaceAll(/<\/?mark>/g, '')
          .replaceAll('&lt;', '<')
          .replaceAll('&gt;', '>')
        expect(plain.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&')).toBe(text)
      },
    ),
  )
})
