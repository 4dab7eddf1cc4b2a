import { expect, test } from 'vitest'
import { arrayElements, jsonLines } from './json.ts'

async function all(read: typeof arrayElements, text: string, size: number) {
  async function* pieces() {
    for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size)
  }
  const found = []
  for await (const piece of read(pieces())) found.push(...piece)
  return found
}

const text = `[
  {"a": "x],[ \\" }{", "b": [1, {"c": []}]},

  {"a": 2
  }, 7 ,
  {"a": nonsense},
  {"é": "€"}
]
`

test.each([
  1, 2, 5, 10_000,
])('an array is read element by element with their lines, %i characters at a time', async (size) => {
  expect(await all(arrayElements, text, size)).toEqual([
    { line: 2, value: { a: 'x],[ " }{', b: [1, { c: [] }] } },
    { line: 4, value: { a: 2 } },
    { line: 5, value: 7 },
    { line: 6, refused: expect.stringContaining('no JSON') },
    { line: 7, value: { é: '€' } },
  ])
})

test.each([1, 1_000])('of an object the first list is read', async (size) => {
  const wrapped = '{"source": "x", "products": [\n{"a":[1]},\n{"a":2}], "total": 2, "more": [5]}'
  expect(await all(arrayElements, wrapped, size)).toEqual([
    { line: 2, value: { a: [1] } },
    { line: 3, value: { a: 2 } },
  ])
})

test('an empty list has no elements', async () => {
  expect(await all(arrayElements, '[ ]', 1)).toEqual([])
})

test('a list that is cut off is told by the line of its last element', async () => {
  await expect(all(arrayElements, '[{"a":1},\n{"a":', 3)).rejects.toMatchObject({ line: 2 })
})

test.each([1, 4, 1_000])('a broken line of NDJSON is refused alone', async (size) => {
  expect(await all(jsonLines, '{"a":1}\r\n\n{"a":\n{"a":3}', size)).toEqual([
    { line: 1, value: { a: 1 } },
    { line: 3, refused: expect.stringContaining('no JSON') },
    { line: 4, value: { a: 3 } },
  ])
})
