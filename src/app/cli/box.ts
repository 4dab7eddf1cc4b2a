/** A frame without sides, so that a line can be copied whole. */
import { stripVTControlCharacters } from 'node:util'
import { paintAside as paint } from '../colours.ts'

const NARROWEST = 60

export function box(title: string, note: string, lines: readonly string[]): string {
  const longest = Math.max(NARROWEST, ...lines.map((line) => stripVTControlCharacters(line).trimEnd().length + 4))
  const width = Math.min(longest, process.stderr.columns || longest)
  const rule = '─'.repeat(Math.max(2, width - title.length - note.length - 9))
  return [
    `${paint.dim('╭──')} ${paint.bold(title)} ${paint.dim(`${rule} ${note} ─╮`)}`,
    '',
    ...lines.map((line) => `  ${line}`.trimEnd()),
    '',
    paint.dim(`╰${'─'.repeat(width - 2)}╯`),
  ].join('\n')
}
