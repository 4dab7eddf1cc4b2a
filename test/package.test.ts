import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { beforeAll, expect, test } from 'vitest'
import { schemaCount, version } from '../src/app/cli/version.ts'
import { createTestDatabase } from './database.ts'

// Another team's project, with the package built and laid out as npm would, and of ours only the dependencies that package.json names.

const root = join(import.meta.dirname, '..')
const node = async (args: string[], cwd: string) => (await promisify(execFile)(process.execPath, args, { cwd })).stdout

let project: string

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'lockstep-package-'))
  const modules = join(project, 'node_modules')
  const installed = join(modules, 'lockstep')
  await mkdir(installed, { recursive: true })
  const { dependencies, files } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'))
  for (const name of Object.keys(dependencies)) {
    await mkdir(dirname(join(modules, name)), { recursive: true })
    await symlink(join(root, 'node_modules', name), join(modules, name))
  }
  expect(files).toContain('dist')
  for (const file of ['package.json', ...files].filter((file) => file !== 'dist'))
    await cp(join(root, file), join(installed, file), { recursive: true })
  await node([join(root, 'scripts/build.ts'), join(installed, 'dist')], root)
  await writeFile(join(project, 'package.json'), '{"type":"module"}')
  return () => rm(project, { recursive: true })
})

const consumer = `
import { projection } from 'lockstep'
import { testEngine } from 'lockstep/testing'

const { engine } = await testEngine(process.argv[2] ?? '', () => [
  { name: 'mine', consumers: [projection({ name: 'mine', on: ['product.*'], async apply() {} })] },
])
await engine.settle()
const [row] = await engine.db\`select name, position from lockstep.consumers\`
console.log(JSON.stringify(row))
await engine.close()
`

test('a project in plain JavaScript adds a consumer, and the engine brings its schema along', async () => {
  await writeFile(join(project, 'consumer.js'), consumer)
  const { url } = await createTestDatabase()
  expect(JSON.parse(await node(['consumer.js', url], project))).toEqual({ name: 'mine', position: 0 })
})

test('a project in TypeScript finds the types', async () => {
  const wrong = `\nprojection({ name: 'x', on: 'product.*', async apply() {} })\n`
  await writeFile(join(project, 'right.ts'), consumer)
  await writeFile(join(project, 'wrong.ts'), consumer + wrong)
  await symlink(join(root, 'node_modules/@types/node'), join(project, 'node_modules/@types/node'))
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const check = '--noEmit --pretty false --strict --skipLibCheck --target esnext --module nodenext --types node'.split(
    ' ',
  )
  const told = await node([tsc, ...check, 'right.ts', 'wrong.ts'], project).catch(({ stdout }) => stdout)
  expect(told.split('\n').filter((line: string) => line.includes('error'))).toEqual([
    expect.stringMatching(/^wrong\.ts.*'string' is not assignable to type 'string\[\]'/),
  ])
})

test('the installed program runs, and has every schema file', async () => {
  const told = await node([join(project, 'node_modules/lockstep/bin/lockstep.js'), '--version'], project)
  expect(told).toBe(`lockstep ${version()} (schema ${schemaCount()})\n`)
})
