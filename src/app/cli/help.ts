/** Help begins with examples. */
import { Command } from 'commander'
import { nearest } from '../../services/search/spelling.ts'
import { paint } from '../colours.ts'
import { exits, Failure } from './failure.ts'

export function examples(command: Command, ...lines: string[]): Command {
  return command.addHelpText('before', `${paint.bold('Examples:')}\n${lines.map((line) => `  ${line}`).join('\n')}\n`)
}

/** `lockstep help events ls` is `lockstep events ls --help`. */
export function helpCommand(): Command {
  const command = new Command('help')
    .argument('[command...]')
    .description('the help of a command')
    .action((words: string[]) => {
      let at = command.parent as Command
      for (const word of words) at = within(at, word)
      at.outputHelp()
    })
  return examples(command, 'lockstep help', 'lockstep help events tail')
}

function within(command: Command, word: string): Command {
  const found = command.commands.find((each) => each.name() === word || each.aliases().includes(word))
  if (found) return found
  const names = command.commands.map((each) => each.name())
  const [meant] = nearest(word, names)
  const what = command.parent ? `${command.name()} has no command ${word}` : `there is no command ${word}`
  const next = names.length === 0 ? `lockstep help ${command.name()}` : `there are ${names.join(', ')}`
  throw new Failure(exits.usage, what, meant ? `did you mean ${meant}?` : next)
}
