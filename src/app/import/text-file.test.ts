import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { formatOf, inspect, textOf } from './text-file.ts'

const directory = await mkdtemp(join(tmpdir(), 'lockstep-text-'))
let files = 0

async function fileOf(content: string | Buffer): Promise<string> {
  const path = join(directory, `${++files}.txt`)
  await writeFile(path, content)
  return path
}

async function read(path: string): Promise<string> {
  let text = ''
  for await (const piece of textOf(await inspect(path), () => {})) text += piece
  return text
}

test('a byte order mark is no part of the text', async () => {
  expect(await read(await fileOf('\ufeffHandle,Title'))).toBe('Handle,Title')
  expect(await read(await fileOf(Buffer.from('\ufeffHandle', 'utf16le')))).toBe('Handle')
})

test('a Latin-1 file is recognised and read as such', async () => {
  const path = await fileOf(Buffer.from('Größe,Café', 'latin1'))
  expect(await inspect(path)).toMatchObject({ encoding: 'windows-1252', damaged: false })
  expect(await read(path)).toBe('Größe,Café')
})

test('UTF-8 with a broken byte stays UTF-8 and is called damaged', async () => {
  const path = await fileOf(Buffer.concat([Buffer.from('Größe,Café,'), Buffer.from([0xe9]), Buffer.from(',x')]))
  expect(await inspect(path)).toMatchObject({ encoding: 'utf-8', damaged: true })
})

test('letters on the border of two pieces are whole', async () => {
  const text = `a${'€'.repeat(200_000)}`
  const path = await fileOf(text)
  expect(await inspect(path)).toMatchObject({ encoding: 'utf-8', damaged: false })
  expect(await read(path)).toBe(text)
})

test.each([
  [Buffer.from('PK\x03\x04whatever', 'latin1'), /spreadsheet or zip/],
  [Buffer.from([0x1f, 0x8b, 8, 0]), /compressed/],
  [Buffer.from('a,b\0c'), /no text: byte 3 is NUL/],
  [Buffer.from(''), /is empty/],
])('what is no text is refused with a reason', async (content, reason) => {
  await expect(inspect(await fileOf(content))).rejects.toThrow(reason)
})

test('a file that is not there is named', async () => {
  await expect(inspect('/nowhere/x.csv')).rejects.toThrow('there is no file /nowhere/x.csv')
})

test.each([
  ['a,b\n1,2', 'csv'],
  [' [ {"a":1} ]', 'json'],
  ['{"products": [ {"a":1} ], "total": 1}', 'json'],
  ['{"a":1}\n{"a":2}\n', 'ndjson'],
  ['{"variants":[{"sku":"A"}]}\n{"variants":[{"sku":"B"}]}\n', 'ndjson'],
])('the format of %j is %s', async (content, format) => {
  expect(formatOf(await inspect(await fileOf(content)))).toBe(format)
})
