import { expect, test } from 'vitest'
import { lasting, oneLine, table } from './output.ts'
import { duration } from './session.ts'
import { toYaml } from './yaml.ts'

test('numbers stand right, text stands left, and wide columns stay away unless asked for', () => {
  const columns = [
    { head: 'name', value: ({ name }: { name: string }) => name },
    { head: 'count', value: ({ name }: { name: string }) => name.length * 1_000 },
    { head: 'more', value: () => 'x', wide: true },
  ]
  expect(table([{ name: 'a' }, { name: 'long name' }], columns)).toEqual([
    'NAME       COUNT',
    'a          1,000',
    'long name  9,000',
  ])
  expect(table([{ name: 'a' }], columns, true)[1]).toBe('a     1,000  x')
})

test('text from outside can not steer the terminal', () => {
  expect(oneLine('red \x1b[31m\nand \u202e back')).toBe('red \u{fffd}[31m and \u{fffd} back')
})

test.each([
  [0.004, '4 ms'],
  [2.25, '2.3 s'],
  [150, '3 min'],
  [7_200, '2 h'],
  [400_000, '5 d'],
])('%s seconds are %s', (seconds, words) => {
  expect(lasting(seconds)).toBe(words)
})

test.each([
  ['500ms', 500],
  ['1.5s', 1_500],
  ['12h', 43_200_000],
])('%s is a duration', (text, ms) => {
  expect(duration(text)).toBe(ms)
})

test.each(['', '5', '-1s', '1 s', '5 minutes', '1e3s'])('%j is no duration', (text) => {
  expect(() => duration(text)).toThrow('is no duration')
})

test('YAML quotes whatever could be read as anything but text', () => {
  const value = {
    name: 'a b',
    empty: '',
    yes: 'yes',
    number: '42',
    lines: 'a\nb',
    list: [{ a: 1, b: [] }, 'x'],
    none: null,
  }
  expect(toYaml(value)).toBe(
    [
      'name: a b',
      'empty: ""',
      '"yes": "yes"',
      'number: "42"',
      'lines: "a\\nb"',
      'list:',
      '  - a: 1',
      '    b: []',
      '  - x',
      'none: null',
    ].join('\n'),
  )
})
