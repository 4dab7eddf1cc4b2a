/** `lockstep completion`: completes commands, options and their values, services, consumers and feeds in bash, zsh, fish and PowerShell. */
import { Argument, Command } from 'commander'
import { examples } from './help.ts'
import { knownNames } from './known-names.ts'

const scripts: Record<string, string> = {
  bash: `_lockstep() {
  COMPREPLY=($(compgen -W "$(lockstep completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _lockstep lockstep`,
  zsh: `#compdef lockstep
_lockstep() { compadd -- \${(f)"$(lockstep completion words -- \${words[2,CURRENT-1]} 2>/dev/null)"} || _files }
compdef _lockstep lockstep`,
  fish: `complete -c lockstep -a '(lockstep completion words -- (commandline -opc)[2..-1] 2>/dev/null)'`,
  powershell: `Register-ArgumentCompleter -Native -CommandName lockstep -ScriptBlock {
  param($word, $line, $position)
  $words = @($line.CommandElements | Select-Object -Skip 1 | ForEach-Object { "$_" })
  if ($word) { $words = @($words | Select-Object -SkipLast 1) }
  lockstep completion words '--' @words 2>$null | Where-Object { $_ -like "$word*" } | ForEach-Object {
    [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_)
  }
}`,
}

export function completionCommand(): Command {
  const command = new Command('completion')
    .description('print a script that completes commands for your shell')
    .addArgument(new Argument('<shell>', 'yours').choices([...Object.keys(scripts), 'words']))
    .argument('[words...]')
    .action(async (shell: string, words: string[]) => {
      const text = scripts[shell] ?? (await candidates(command.parent as Command, words)).join('\n')
      process.stdout.write(`${text}\n`)
    })
  return examples(
    command,
    'source <(lockstep completion bash)',
    'lockstep completion fish > ~/.config/fish/completions/lockstep.fish',
    'lockstep completion powershell | Out-String | Invoke-Expression',
  )
}

/** What may follow these words; behind an option that wants a value only what that may be. */
async function candidates(root: Command, words: string[]): Promise<string[]> {
  let at = root
  for (const word of words) at = at.commands.find((each) => each.name() === word || each.aliases().includes(word)) ?? at
  const options = [...at.options, ...root.options]
  const last = words.at(-1)
  const open = options.find(
    ({ long, short, required }) => required && last !== undefined && [long, short].includes(last),
  )
  if (open) return open.argChoices ?? (open.long === '--consumer' ? (await knownNames()).consumers : [])
  const choices = at.registeredArguments.flatMap((each) => each.argChoices ?? []).filter((choice) => choice !== 'words')
  const long = options.flatMap(({ long }) => long ?? [])
  return [...at.commands.map((each) => each.name()), ...(await namesFor(at)), ...choices, ...long]
}

async function namesFor(command: Command): Promise<string[]> {
  const argument = command.registeredArguments[0]?.name()
  if (argument === 'services') return [...(await import('../services.ts')).serviceNames]
  if (argument === 'consumer') return (await knownNames()).consumers
  if (command.parent?.name() === 'feeds' && argument?.startsWith('name')) return (await knownNames()).feeds
  return []
}
