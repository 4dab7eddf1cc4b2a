import { expect, test } from 'vitest'
import { csvRecords, delimiterOf, Unreadable } from './csv.ts'

/** The records of a text that arrives in pieces of so many characters. */
async function records(text: string, size = text.length, delimiter = ',') {
  async function* pieces() {
    for (let at = 0; at < text.length; at += size) yield text.slice(at, at + size)
  }
  const read: [number, string[]][] = []
  let failure: unknown
  try {
    for await (const piece of csvRecords(pieces(), delimiter))
      for (const { line, cells } of piece) read.push([line, cells])
  } catch (error) {
    failure = error
  }
  return { read, failure }
}

const mixed = 'a,b\r\n1,"x\r\ny\nz"\r\n\r\n2,3\n"4","5"\r6,12" pipe\n\n\n7,"8,9"\n10,11'

test.each([
  1, 2, 3, 7, 1_000,
])('line numbers hold with mixed endings, blank lines and breaks in quotes, %i characters at a time', async (size) => {
  const { read, failure } = await records(mixed, size)
  expect(failure).toBeUndefined()
  expect(read).toEqual([
    [1, ['a', 'b']],
    [2, ['1', 'x\r\ny\nz']],
    [6, ['2', '3']],
    [7, ['4', '5']],
    [8, ['6', '12" pipe']],
    [11, ['7', '8,9']],
    [12, ['10', '11']],
  ])
})

test('a quote that never closes costs only what follows, and its line is told', async () => {
  const { read, failure } = await records('a,b\n1,2\n3,"4\n5,6\n', 4)
  expect(read).toEqual([
    [1, ['a', 'b']],
    [2, ['1', '2']],
  ])
  expect(failure).toBeInstanceOf(Unreadable)
  expect(failure).toMatchObject({ line: 3, message: 'a quote opens in this record and never closes' })
})

test('a cell of ten million characters is refused, not kept', async () => {
  const { read, failure } = await records(`a,b\n1,2\n3,"${'x'.repeat(10_000_000)}"\n`, 65_536)
  expect(read).toHaveLength(2)
  expect(failure).toMatchObject({ line: 3, message: expect.stringContaining('more than 1000000 characters') })
})

test.each([
  ['a,b;c,d\n1;2;3;4;5', ','],
  ['a;b;"x,y,z,w"\n', ';'],
  ['a\tb\tc\n', '\t'],
  ['alone\n', ','],
])('the delimiter of %j is %j', (head, delimiter) => expect(delimiterOf(head)).toBe(delimiter))
