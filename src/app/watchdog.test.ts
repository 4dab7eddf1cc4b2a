import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'

const here = (file: string) => JSON.stringify(fileURLToPath(new URL(file, import.meta.url)))

test('a consumer that blocks the event loop is named, with the place, while it does', async () => {
  const program = `
    import { watchEventLoop } from ${here('watchdog.ts')}
    import { running } from ${here('../engine/runner.ts')}
    const stop = watchEventLoop({ afterMs: 300 })
    const spin = () => { const until = Date.now() + 1_500; while (Date.now() < until); }
    await running.run('slow-one', async () => {
      await new Promise((resolve) => setTimeout(resolve, 700))
      spin()
      process.stderr.write('the handler is done\\n')
    })
    await stop()`
  const { stderr } = await promisify(execFile)(process.execPath, ['--input-type=module-typescript', '-e', program])
  const [line = '', ...rest] = stderr.split('\n').filter((each) => each.includes('watchdog') || each.includes('done'))
  expect(JSON.parse(line)).toMatchObject({
    consumer: 'slow-one',
    stack: [expect.stringMatching(/^spin /), expect.anything()],
  })
  expect(rest[0]).toBe('the handler is done')
})
