/** All commands, and what holds for each of them: output formats, help that begins with examples, exit codes. */
import { Command, Option } from 'commander'
import { paint, paintAside } from '../colours.ts'
import { cachesCommand } from './caches.ts'
import { completionCommand } from './completion.ts'
import { configCommand } from './config.ts'
import { consumersCommand, replayCommand } from './consumers.ts'
import { deadLettersCommand } from './dead-letters.ts'
import { doctorCommand } from './doctor.ts'
import { eventsCommand } from './events.ts'
import { explainCommand } from './explain.ts'
import { exitCodes } from './failure.ts'
import { feedsCommand } from './feeds.ts'
import { examples, helpCommand } from './help.ts'
import { importCommand, importOrdersCommand } from './import.ts'
import { loginCommand } from './login.ts'
import { lossesCommand } from './losses.ts'
import { formats } from './output.ts'
import { serveCommand } from './serve.ts'
import { statusCommand } from './status.ts'
import { tokenCommand } from './token.ts'
import { verifyCommand } from './verify.ts'
import { schemaCount, version } from './version.ts'
import { waitCommand } from './wait.ts'

export function buildProgram(): Command {
  const program = new Command('lockstep')
    .description('Keeps every service of a shop in lockstep with its source of truth. Without a command it serves.')
    .version(
      `lockstep ${version()} (schema ${schemaCount()})`,
      '-V, --version',
      'print the version and the number of schema files',
    )
    .addOption(
      new Option('-o, --output <format>', 'how data is printed')
        .choices([...formats])
        .default('table')
        .env('LOCKSTEP_OUTPUT'),
    )
    .option('--json <fields>', 'only these fields, as JSON: position,data.product.title')
    .option('--jq <path>', 'what a path leads to, a line each: .[].name')
    .addOption(new Option('--debug', 'show the stack of an error').env('LOCKSTEP_DEBUG'))
    .option('--no-color', 'no colours; NO_COLOR does the same')
  const groups: [string, Command[]][] = [
    ['Run it:', [serveCommand(), importCommand(), importOrdersCommand(), feedsCommand()]],
    ['Ask it:', [statusCommand(), waitCommand(), explainCommand(), eventsCommand()]],
    [
      'Mend it:',
      [
        deadLettersCommand(),
        consumersCommand(),
        replayCommand(),
        cachesCommand(),
        lossesCommand(),
        verifyCommand(),
        doctorCommand(),
      ],
    ],
    ['Set it up:', [loginCommand(), tokenCommand(), configCommand(), completionCommand()]],
  ]
  for (const [heading, commands] of groups)
    for (const command of commands) program.addCommand(command.helpGroup(heading))
  program.helpCommand(false).addCommand(helpCommand().helpGroup('Set it up:'))
  examples(program, 'lockstep', 'lockstep import products.csv', 'lockstep status lamp-01', 'lockstep events tail')
  forAll(program, (command) => {
    command.showSuggestionAfterError().showHelpAfterError('(add --help for examples and options)')
    command.exitOverride().configureHelp({
      showGlobalOptions: true,
      styleTitle: (title) => paint.bold(title),
      styleCommandText: (text) => paint.cyan(text),
      styleSubcommandText: (text) => paint.cyan(text),
      styleOptionText: (text) => paint.cyan(text),
    })
    command.configureOutput({ outputError: (text, write) => write(text.replace(/^error:/, paintAside.red('error'))) })
  })
  program.addHelpText('afterAll', `\n${paint.dim(`Exit codes: ${exitCodes}`)}`)
  return program
}

function forAll(command: Command, change: (command: Command) => void): void {
  change(command)
  for (const each of command.commands) forAll(each, change)
}
