import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { exits } from './failure.ts'
import { mustBeFile } from './given-file.ts'

test('a file that is not there is named, with the one that was probably meant', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-given-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'products.csv')
  await writeFile(file, '')
  await mustBeFile(file)
  const refusal = (path: string) => mustBeFile(path).catch((error) => error)
  expect(await refusal(join(folder, 'prodcuts.csv'))).toMatchObject({
    exit: exits.notFound,
    message: `there is no file ${join(folder, 'prodcuts.csv')}`,
    next: `did you mean ${file}?`,
  })
  expect(await refusal(join(folder, 'orders.csv'))).toMatchObject({
    exit: exits.notFound,
    next: `it was looked for in ${folder}`,
  })
  expect(await refusal(join(folder, 'exports', 'a.csv'))).toMatchObject({
    exit: exits.notFound,
    next: `there is no folder ${join(folder, 'exports')} either`,
  })
  expect(await refusal(folder)).toMatchObject({ exit: exits.usage, message: `${folder} is a folder` })
})
