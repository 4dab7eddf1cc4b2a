import { globSync, readFileSync } from 'node:fs'
import { dirname, join, normalize, relative } from 'node:path'
import { expect, test } from 'vitest'

const root = normalize(join(import.meta.dirname, '..'))

/** Every import of our own in the product's files (tests may look anywhere): from → to, as paths below the root. */
const imports = globSync('src/**/*.ts', { cwd: root })
  .filter((file) => !/\.test\.ts$|-testing\.ts$/.test(file) && file !== 'src/testing.ts')
  .flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)].map(([, target = '']) => ({
      from: file,
      to: relative(root, normalize(join(root, dirname(file), target))),
    })),
  )

const serviceOf = (path: string) => /^src\/services\/([^/]+)\//.exec(path)?.[1]

test('the engine imports nothing above it', () => {
  const wrong = imports.filter(({ from, to }) => from.startsWith('src/engine/') && !to.startsWith('src/engine/'))
  expect(wrong).toEqual([])
})

test('a service imports the engine, itself, and of other services their events alone', () => {
  const wrong = imports.filter(({ from, to }) => {
    const service = serviceOf(from)
    if (service === undefined || to.startsWith('src/engine/') || serviceOf(to) === service) return false
    return !/^src\/services\/[^/]+\/events\.ts$/.test(to)
  })
  expect(wrong).toEqual([])
})

test('dialects import the engine and events alone', () => {
  const wrong = imports.filter(
    ({ from, to }) => from.startsWith('src/dialects/') && !/^src\/(engine|dialects)\/|\/events\.ts$/.test(to),
  )
  expect(wrong).toEqual([])
})

test('no file is named after nothing', () => {
  const files = globSync('{src,bench,examples,test}/**/*.{ts,sql}', { cwd: root })
  expect(files.filter((file) => /(^|\/)(utils?|helpers?|common|misc|manager|base)(\.|\/|-)/.test(file))).toEqual([])
})
