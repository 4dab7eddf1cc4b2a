/** The watchdog's own thread, see watchdog.ts. */
import { writeSync } from 'node:fs'
import { type Debugger, Session } from 'node:inspector'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'
import { workerData } from 'node:worker_threads'
import { readable } from './cli/log-lines.ts'
import type { Blockage } from './watchdog.ts'

const { beats, afterMs } = workerData as { beats: Int32Array; afterMs: number }
const root = fileURLToPath(new URL('../../', import.meta.url))

let last = -1
let since = performance.now()
let told = false

setInterval(() => {
  const now = Atomics.load(beats, 0)
  if (now !== last) {
    if (told) tell('watchdog: the event loop goes on', { seconds: (performance.now() - since) / 1_000, stack: [] })
    last = now
    since = performance.now()
    told = false
  } else if (!told && performance.now() - since > afterMs) {
    told = true
    look()
  }
}, 100)

function look(): void {
  const session = new Session()
  session.connectToMainThread()
  const files = new Map<string, string>()
  session.on('Debugger.scriptParsed', ({ params: { scriptId, url } }) => void files.set(scriptId, url))
  session.on('Debugger.paused', ({ params }) => {
    const callFrameId = params.callFrames[0]?.callFrameId ?? ''
    const expression = `globalThis[Symbol.for('lockstep.running')]?.getStore()`
    session.post('Debugger.evaluateOnCallFrame', { callFrameId, expression }, (_error, answer) => {
      const consumer = answer?.result.value as string | undefined
      const stack = params.callFrames.slice(0, 6).map((frame) => place(frame, files.get(frame.location.scriptId) ?? ''))
      session.post('Debugger.resume')
      session.post('Debugger.disable')
      session.disconnect()
      const who = consumer === undefined ? 'the event loop is blocked' : `consumer ${consumer} blocks the event loop`
      tell(`watchdog: ${who} at ${stack[0]}`, {
        ...(consumer !== undefined && { consumer }),
        stack,
        seconds: (performance.now() - since) / 1_000,
      })
    })
  })
  session.post('Debugger.enable', () => session.post('Debugger.pause'))
}

function place({ functionName, location }: Debugger.CallFrame, url: string): string {
  const file = url.startsWith('file:') ? fileURLToPath(url).replace(root, '') : url
  return `${functionName || '(anonymous)'} ${file}:${location.lineNumber + 1}`
}

/** As a line of the log: the main thread's logger is just what can't be used. */
function tell(msg: string, { seconds, ...blockage }: Blockage): void {
  const line = {
    level: 50,
    time: Date.now(),
    pid: process.pid,
    seconds: Math.round(seconds * 10) / 10,
    ...blockage,
    msg,
  }
  writeSync(2, `${isatty(2) ? readable(line) : JSON.stringify(line)}\n`)
}
