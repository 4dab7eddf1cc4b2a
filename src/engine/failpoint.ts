/**
 * Named places in the code where a test can make the process die, stop or fail: LOCKSTEP_FAILPOINTS=`after-append=kill,after-apply=throw@3`
 * (the third time it is reached). Unarmed it costs one comparison.
 */
import { appendFileSync } from 'node:fs'

interface Armed {
  action: string
  countdown: number
}

const armed = new Map<string, Armed>()
for (const entry of (process.env.LOCKSTEP_FAILPOINTS ?? '').split(',').filter(Boolean)) {
  const [, name = '', action = '', nth = '1'] = /^([\w-]+)=(kill|stop|throw)(?:@(\d+))?$/.exec(entry) ?? []
  if (!name) throw new Error(`LOCKSTEP_FAILPOINTS: can't read "${entry}"; write name=kill|stop|throw, optionally @n`)
  armed.set(name, { action, countdown: Number(nth) })
}

/** True when anything is armed: code that pipelines past a failpoint then waits for each step instead. */
export const failpointsArmed = armed.size > 0

export function failpoint(name: string): void {
  if (!failpointsArmed) return
  const point = armed.get(name)
  if (!point || --point.countdown !== 0) return
  if (process.env.LOCKSTEP_FAILPOINT_LOG) appendFileSync(process.env.LOCKSTEP_FAILPOINT_LOG, `${name}\n`)
  if (point.action === 'throw') throw new Error(`failpoint ${name}`)
  process.kill(process.pid, point.action === 'kill' ? 'SIGKILL' : 'SIGSTOP')
}
