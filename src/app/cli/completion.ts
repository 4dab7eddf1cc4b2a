/** `lockstep completion`: completes commands, options, services and consumers in bash, zsh and fish. */
import { Argument, Command } from 'commander'
import { examples } from './help.ts'

const scripts: Record<string, string> = {
  bash: `_lockstep() {
  COMPREPLY=($(compgen -W "$(lockstep completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _lockstep lockstep`,
  zsh: `#compdef lockstep
_lockstep() { compadd -- \${(f)"$(lockstep completion words -- \${words[2,CURRENT-1]} 2>/dev/null)"} || _files }
compdef _lockstep lockstep`,
  fish: `complete -c lockstep -a '(lockstep completion words -- (commandline -opc)[2..-1] 2>/dev/null)'`,
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
  )
}

/** What may follow these words. */
async function candidates(root: Command, words: string[]): Promise<string[]> {
  let at = root
  for (const word of words) at = at.commands.find((each) => each.name() === word || each.aliases().includes(word)) ?? at
  const { serviceNames } = await import('../services.ts')
  const argument = at.registeredArguments[0]?.name()
  const names = argument === 'services' || argument === 'consumer' ? serviceNames : []
  const choices = at.registeredArguments.flatMap((each) => each.argChoices ?? []).filter((choice) => choice !== 'words')
  const options = [...at.options, ...root.options].flatMap(({ long }) => long ?? [])
  return [...at.commands.map((each) => each.name()), ...names, ...choices, ...options]
}
