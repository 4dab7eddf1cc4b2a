import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { buildProgram } from '../src/app/cli/program.ts'

const root = join(import.meta.dirname, '..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')
const pages = [...globSync('*.md', { cwd: root }), ...globSync('docs/*.md', { cwd: root })]
const matches = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map((match) => match[1] ?? '')

test.each(pages)('%s links to files that exist', (page) => {
  const links = matches(read(page), /\]\(([^)#]+)(?:#[^)]*)?\)/g).filter((link) => !/^https?:/.test(link))
  expect(links.filter((link) => !existsSync(join(root, dirname(page), link)))).toEqual([])
})

test.each(pages)('%s names files that exist', (page) => {
  const files = matches(read(page), /`((?:src|test|bench|examples|docs)\/[^`\s<>…]*)`/g)
  expect(files.filter((file) => globSync(file, { cwd: root }).length === 0)).toEqual([])
})

test.each(pages)('the commands that %s shows exist', (page) => {
  const program = buildProgram()
  const missing = matches(read(page), /npx lockstep ([a-z][a-z-]*(?: [a-z][a-z-]*)?)/g).filter((words) => {
    const [name = '', verb = ''] = words.split(' ')
    const command = program.commands.find((each) => each.name() === name || each.aliases().includes(name))
    if (!command) return true
    return command.commands.length > 0 && !command.commands.some((each) => each.name() === verb)
  })
  expect(missing).toEqual([])
})

test.each(pages)('the scripts that %s runs are in package.json', (page) => {
  const { scripts } = JSON.parse(read('package.json'))
  const known = new Set(['ci', 'start', 'test', ...Object.keys(scripts).map((name) => `run ${name}`)])
  const shown = matches(read(page), /\bnpm (ci|run [\w-]+|[a-z]+)\b/g).filter((words) => words !== 'create')
  expect(shown.filter((words) => !known.has(words))).toEqual([])
})

test('the options of shown commands exist', () => {
  const program = buildProgram()
  const shown = pages.flatMap((page) =>
    [...read(page).matchAll(/npx lockstep ([^\n`|&]*)/g)].map(([, line]) => line ?? ''),
  )
  const missing = shown.flatMap((line) => {
    const words = line.replace(/ #.*/, '').split(' ')
    const command = program.commands.find((each) => [each.name(), ...each.aliases()].includes(words[0] ?? ''))
    const leaf = command?.commands.find((each) => each.name() === words[1]) ?? command
    const options = [...program.options, ...(leaf?.options ?? [])].flatMap(({ long, short }) => [long, short])
    return words
      .filter((word) => /^--?[a-z]/.test(word) && word !== '--help' && !options.includes(word))
      .map((word) => `${word} of ${line}`)
  })
  expect(missing).toEqual([])
})

test('the consumer that README shows stands so in the example', () => {
  const block = /```ts\n([\s\S]*?)```/.exec(read('README.md'))?.[1] ?? 'no block'
  expect(read('examples/02-projection.ts')).toContain(block)
})

test('README fits a screen or two', () => {
  expect(read('README.md').split('\n').length).toBeLessThanOrEqual(150)
})

test('every measurement has its line among the figures, and every line its measurement', () => {
  const programs = globSync('bench/*.ts', { cwd: root }).filter(
    (file) => read(file).includes("'node:fs/promises'") || read(file).includes('await bench('),
  )
  const named = matches(read('docs/figures.md'), /\[(bench\/[\w-]+\.ts)\]/g)
  expect(named.sort()).toEqual(programs.filter((file) => file !== 'bench/bench.ts').sort())
})

test('README says no other figure than the page of figures', () => {
  const said = matches(read('README.md'), /\b(\d+ to \d+ ×)/g)
  expect(said).not.toEqual([])
  expect(said.filter((figure) => !read('docs/figures.md').includes(figure))).toEqual([])
})

test('every setting that a page names is one', () => {
  const known = read('docs/configuration.md')
  const settings = pages.flatMap((page) => matches(read(page), /`(LOCKSTEP_[A-Z_]+|DATABASE_URL|PORT|HOST)`/g))
  const ofCommands = new Set(['LOCKSTEP_OUTPUT'])
  expect(settings.filter((name) => !ofCommands.has(name) && !known.includes(`| \`${name}\` |`))).toEqual([])
})

test('every metric that a page names is one', () => {
  const source = read('src/app/metrics.ts') + read('src/app/caches.ts') + read('src/app/http/server.ts')
  const rows = read('docs/operations.md')
    .split('\n')
    .filter((line) => /^\| `(lockstep|inventory|out|dlq)_/.test(line))
  const names = rows.flatMap((row) => matches(row.split('|')[1] ?? '', /`([a-z_]+)`/g))
  expect(names.length).toBeGreaterThan(8)
  expect(names.filter((name) => !source.includes(`'${name}'`))).toEqual([])
})

test('every guarantee names tests that exist', () => {
  const named = [...read('docs/guarantees.md').matchAll(/^- `([^`]+\.test\.ts)`: \*(.+?)\*/gm)]
  expect(named.length).toBeGreaterThan(15)
  const missing = named.filter(([, file = '', name = '']) => !read(file).replaceAll("\\'", "'").includes(name))
  expect(missing.map(([line]) => line)).toEqual([])
})

test('the exit codes of the page are those of the program', async () => {
  const { exits } = await import('../src/app/cli/failure.ts')
  const listed = matches(read('docs/cli.md'), /^\| (\d+) \|/gm).map(Number)
  expect(listed).toEqual(Object.values(exits))
})

test('every command has its line on the page', () => {
  const page = read('docs/cli.md')
  const names = buildProgram().commands.map((command) => command.name())
  expect(names.filter((name) => !page.includes(`\`${name}`))).toEqual([])
})
