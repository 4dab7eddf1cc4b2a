/** Help begins with examples. */
import type { Command } from 'commander'
import { paint } from '../colours.ts'

export function examples(command: Command, ...lines: string[]): Command {
  return command.addHelpText('before', `${paint.bold('Examples:')}\n${lines.map((line) => `  ${line}`).join('\n')}\n`)
}
