/** Help begins with examples. */
import type { Command } from 'commander'
import pc from 'picocolors'

export function examples(command: Command, ...lines: string[]): Command {
  return command.addHelpText('before', `${pc.bold('Examples:')}\n${lines.map((line) => `  ${line}`).join('\n')}\n`)
}
