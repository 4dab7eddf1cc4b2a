import { expect, test } from 'vitest'
import { count, identifier, plainText, quantity } from './text.ts'

test.each([
  'KIT-1',
  'a b',
  'x_(1)+2:3,4*&',
  'é ß 日本 Ж',
  '😀',
  '...',
  'x'.repeat(200),
])('an identifier may be %j', (id) => {
  expect(identifier.parse(id)).toBe(id)
})

test.each([
  '',
  '.',
  '..',
  ' a',
  'a ',
  'a/b',
  'a\\b',
  'a?b',
  'a#b',
  'a%b',
  'a@b',
  "a'b",
  'a"b',
  '<a>',
  'a\0b',
  'a\nb',
  'a\u202eb',
  'a\u00a0b',
  '\ud800',
  'x'.repeat(201),
])('an identifier may not be %j', (id) => {
  expect(identifier.safeParse(id).success).toBe(false)
})

test('an identifier of 50,000 evil characters is refused at once', () => {
  const before = process.threadCpuUsage()
  for (const evil of [' '.repeat(50_000), `${'a '.repeat(25_000)}/`, '.'.repeat(50_000)])
    expect(identifier.safeParse(evil).success).toBe(false)
  const { user, system } = process.threadCpuUsage(before) // microseconds of work, whoever else has the cores
  expect(user + system).toBeLessThan(500_000)
})

test.each([0, -1, 1.5, 1e20, Number.NaN, '1', null])('a quantity may not be %j', (value) => {
  expect(quantity.safeParse(value).success).toBe(false)
})

test('a count may be zero, a quantity may not', () => {
  expect(count.safeParse(0).success).toBe(true)
  expect(quantity.safeParse(0).success).toBe(false)
})

test('text that Postgres can not keep is refused', () => {
  expect(plainText(10).safeParse('line\nbreak').success).toBe(true)
  for (const text of ['\0', '\udc00', 'eleven char']) expect(plainText(10).safeParse(text).success).toBe(false)
})
