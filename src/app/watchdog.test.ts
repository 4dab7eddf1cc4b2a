import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const here = (file: string) => JSON.stringify(fileURLToPath(new URL(file, import.meta.url)))

test('a consumer that blocks the event loop is named, with the place, while it does', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lockstep-watchdog-'))
  const enough = join(folder, 'enough')
  const program = `
    import { existsSync } from 'node:fs'
    import { watchEventLoop } from ${here('watchdog.ts')}
    import { running } from ${here('../engine/runner.ts')}
    const stop = watchEventLoop({ afterMs: 300 })
    const spin = () => { while (!existsSync(${JSON.stringify(enough)})); }
    await running.run('slow-one', async () => {
      await new Promise(setImmediate)
      spin()
      process.stderr.write('the handler is done\\n')
    })
    await stop()`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', program], { timeout: 60_000 })
  let stderr = ''
  child.stderr.on('data', async (text) => {
    stderr += text
    if (/watchdog.*\n/.test(stderr)) await writeFile(enough, '')
  })
  await once(child, 'close')
  await rm(folder, { recursive: true })
  const [line = '', ...rest] = stderr.split('\n').filter((each) => each.includes('watchdog') || each.includes('done'))
  expect(JSON.parse(line)).toMatchObject({
    consumer: 'slow-one',
    stack: [expect.stringMatching(/^spin /), expect.anything()],
  })
  expect(rest[0]).toBe('the handler is done')
}, 90_000)
