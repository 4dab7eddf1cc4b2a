/** How far a long piece of work is: a bar on a terminal, a line every five seconds elsewhere. */

import { paintAside } from '../colours.ts'
import type { Progress } from '../import/progress.ts'
import { cut, grouped, lasting, say } from './output.ts'

const LINE_EVERY_MS = 5_000
const WIDTH = 24

export interface ProgressView {
  show(progress: Progress): void
  /** Takes the bar away. */
  end(): void
}

export function progressView(stream: NodeJS.WriteStream = process.stderr): ProgressView {
  if (!stream.isTTY) {
    let told = performance.now()
    return {
      show(progress) {
        if (performance.now() - told < LINE_EVERY_MS) return
        told = performance.now()
        say(`${percent(progress)} %  ${inWords(progress)}`)
      },
      end() {},
    }
  }
  return {
    show(progress) {
      const words = `  ${String(percent(progress)).padStart(3)} %  ${inWords(progress)}`
      // A line that is longer than the terminal is no longer taken back by \r.
      const width = Math.max(0, Math.min(WIDTH, (stream.columns || 80) - words.length - 3))
      const full = Math.round((percent(progress) / 100) * width)
      const bar = paintAside.cyan('━'.repeat(full)) + paintAside.dim('━'.repeat(width - full))
      stream.write(`\r  ${bar}${cut(words, (stream.columns || 80) - 3)}\x1b[K`)
    },
    end: () => void stream.write('\r\x1b[K'),
  }
}

const percent = ({ bytes, bytesTotal }: Progress) =>
  bytesTotal === 0 ? 100 : Math.min(100, Math.floor((bytes / bytesTotal) * 100))

const inWords = ({ rows, rowsPerSecond, etaSeconds }: Progress) =>
  [
    `${grouped(rows)} rows`,
    `${grouped(rowsPerSecond)}/s`,
    etaSeconds !== undefined && etaSeconds > 0 && `${lasting(etaSeconds)} left`,
  ]
    .filter(Boolean)
    .join('  ')
