/** `lockstep config`: every setting, what it is set to, and what it means. */
import { Command } from 'commander'
import { paint } from '../colours.ts'
import { examples } from './help.ts'
import { type Column, formatOf, printList } from './output.ts'
import type { GlobalOptions } from './session.ts'

interface Setting {
  name: string
  value: string | null
  default: string | null
  meaning: string
  from: 'environment' | 'default'
}

export function configCommand(): Command {
  const command = new Command('config')
    .description('all settings: what each is, and what it means; set them as environment variables')
    .action(async () => {
      const { readConfig, settings } = await import('../config.ts')
      const all = settings().map(({ name, meaning, fallback, secret }): Setting => {
        const given = process.env[name] || undefined
        return {
          name,
          value: (given !== undefined && secret ? '(set, not shown)' : given) ?? fallback ?? null,
          default: fallback ?? null,
          meaning,
          from: given === undefined ? 'default' : 'environment',
        }
      })
      printList(formatOf(command.optsWithGlobals<GlobalOptions>()), all, columns)
      readConfig(process.env) // after the list, which helps to correct it
    })
  return examples(
    command,
    'lockstep config',
    'PORT=8080 lockstep config -o json',
    'LOW_STOCK_THRESHOLD=5 lockstep serve',
  )
}

const columns: Column<Setting>[] = [
  { head: 'name', value: ({ name }) => name, paint: (text) => paint.bold(text) },
  {
    head: 'value',
    value: ({ value }) => value ?? '',
    paint: (text, { from }) => (from === 'environment' ? paint.cyan(text) : text),
  },
  { head: 'default', value: (setting) => setting.default ?? '', wide: true },
  { head: 'meaning', value: ({ meaning }) => meaning },
]
