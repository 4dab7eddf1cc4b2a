/** Where log lines go: stderr, as JSON; on a terminal one line for people each. */
import { pino } from 'pino'
import { paintAside } from '../colours.ts'

type Destination = { write(line: string): void }

export function lines(stream: NodeJS.WriteStream = process.stderr): Destination {
  if (!stream.isTTY) return pino.destination({ dest: 2, sync: true })
  return { write: (line) => void stream.write(`${readable(JSON.parse(line))}\n`) }
}

const colours: Record<number, (text: string) => string> = {
  30: paintAside.dim,
  40: paintAside.yellow,
  50: paintAside.red,
  60: paintAside.red,
}

/** `10:31:07 search starts its step over  requestId=…` */
export function readable({ level, time, pid: _, hostname: __, msg, err, ...rest }: Record<string, unknown>): string {
  const colour = colours[level as number] ?? paintAside.dim
  const clock = new Date(time as number).toTimeString().slice(0, 8)
  const fields = Object.entries(rest).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  const error = err as { type?: string; message?: string; stack?: string } | undefined
  const reason = error ? `: ${(level as number) >= 50 ? (error.stack ?? error.message) : error.message}` : ''
  return `${paintAside.dim(clock)} ${colour(`${msg ?? ''}${reason}`)}${fields.length > 0 ? paintAside.dim(`  ${fields.join(' ')}`) : ''}`
}
