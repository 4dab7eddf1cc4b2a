import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')

/** The demo shop on a server of its own, as `npm start` brings it up, until disposed of. */
async function start(data: string) {
  const { DATABASE_URL: _, LOCKSTEP_JWT_SECRET: __, ...rest } = process.env
  const env = { ...rest, LOCKSTEP_DATA: data, PORT: '0', LOG_LEVEL: 'error', NO_COLOR: '1' }
  const child = spawn(process.execPath, ['src/app/cli.ts', 'serve'], {
    cwd: root,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let told = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (text) => {
      told += stripVTControlCharacters(String(text))
      if (told.includes('╰')) resolve()
    })
    child.once('exit', (code) => reject(new Error(`it ended with ${code}:\n${told}`)))
  })
  return {
    env,
    url: /http:\/\/127\.0\.0\.1:\d+/.exec(told)?.[0] ?? '',
    async [Symbol.asyncDispose]() {
      const exit = once(child, 'exit')
      child.kill('SIGINT')
      await exit
      await rm(data, { recursive: true, force: true })
    },
  }
}

test('what README says to type does what README says', { timeout: 90_000 }, async () => {
  const readme = await readFile(join(root, 'README.md'), 'utf8')
  const commands = /```sh\n(TOKEN=[\s\S]*?)```/.exec(readme)?.[1] ?? ''
  await using server = await start(await mkdtemp(join(tmpdir(), 'lockstep-readme-')))
  const script = commands.replaceAll('http://127.0.0.1:4000', server.url)
  const said = await new Promise<string>((resolve) =>
    execFile('bash', ['-ec', script], { cwd: root, env: server.env }, (_error, stdout, stderr) =>
      resolve(stdout + stderr),
    ),
  )
  const answers = said.split('\n').filter((line) => line.startsWith('{'))
  expect(answers.map((line) => JSON.parse(line))).toMatchObject([
    { id: 'desk-lamp', syncToken: 'product/desk-lamp@1' },
    { sku: 'DL-1', syncToken: expect.stringMatching(/^stock\/DL-1@\d$/) },
    { overallStatus: 'completed', services: { search: 'done' } },
    { items: expect.arrayContaining([expect.objectContaining({ id: 'desk-lamp' })]) },
    { status: 'confirmed' },
    { status: 'confirmed' },
    { type: '/problems/insufficient-stock', lines: [{ sku: 'DL-1', requested: 5, available: 4 }] },
    { items: [{ keys: ['desk-lamp'] }] },
    { title: 'Desk lamp of oak' },
    { retried: 1 },
  ])
  const shown = /```\n(CONSUMER +STATUS[\s\S]*?)```/.exec(readme)?.[1] ?? 'no table'
  expect(said).toContain(shown)
  expect(said).toMatch(/product desk-lamp version \d: partial-failure/)
  expect(said).toContain('✓ product/desk-lamp@2')
  expect(said).toContain('Consumers: completed')
})
