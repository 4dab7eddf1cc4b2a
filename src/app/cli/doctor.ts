/** `lockstep doctor`: looks at everything the program needs, and says what to do about what is not right. */
import { Command } from 'commander'
import { paint } from '../colours.ts'
import { type Checked, checkDatabase, checkMachine } from '../doctor.ts'
import { exits } from './failure.ts'
import { examples } from './help.ts'
import { type Column, formatOf, printList } from './output.ts'
import type { GlobalOptions } from './session.ts'

export function doctorCommand(): Command {
  const command = new Command('doctor')
    .description('look at everything the program needs, and say what to do about what is not right')
    .action(async () => {
      const format = formatOf(command.optsWithGlobals<GlobalOptions>())
      const checked = [...(await checkMachine(process.env)), ...(await checkDatabase(process.env))]
      printList(format, checked, columns)
      process.exitCode = checked.every(({ state }) => state === 'ok') ? exits.ok : exits.findings
    })
  return examples(command, 'lockstep doctor', 'lockstep doctor -o json')
}

const marks = { ok: paint.green, look: paint.yellow, wrong: paint.red }
const columns: Column<Checked>[] = [
  {
    head: '',
    value: ({ state }) => ({ ok: '✓', look: '!', wrong: '✗' })[state],
    paint: (text, { state }) => marks[state](text),
  },
  { head: 'what', value: ({ what }) => what, paint: (text) => paint.bold(text) },
  { head: 'is', value: ({ is }) => is },
  { head: 'to do', value: ({ next }) => next ?? '' },
]
