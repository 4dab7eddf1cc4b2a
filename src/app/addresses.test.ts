import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { announce, announced } from './addresses.ts'

async function directory(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'lockstep-addresses-'))
  onTestFinished(() => rm(made, { recursive: true }))
  return made
}

test('a server is found while it serves, and no longer', async () => {
  const data = join(await directory(), 'not', 'there', 'yet')
  expect(await announced(data)).toEqual([])
  const end = await announce(data, 'http://127.0.0.1:4001')
  expect(await announced(data)).toEqual(['http://127.0.0.1:4001'])
  await end()
  expect(await announced(data)).toEqual([])
})

test('what a killed server left behind is passed over and removed', async () => {
  const data = await directory()
  await mkdir(join(data, 'serving'))
  await writeFile(join(data, 'serving', '999999999'), 'http://127.0.0.1:4001')
  expect(await announced(data)).toEqual([])
  expect(await readdir(join(data, 'serving'))).toEqual([])
})

test('a folder that can not be written keeps nobody from serving', async () => {
  const data = join(await directory(), 'file')
  await writeFile(data, '')
  const end = await announce(data, 'http://127.0.0.1:4001')
  await end()
  expect(await announced(data)).toEqual([])
})
