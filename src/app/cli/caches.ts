/** `lockstep caches`: what the running servers remember, how well that serves them, and making them forget it. */
import { Command, Option } from 'commander'
import type { CacheStats } from '../../engine/cache/cache.ts'
import { nearest } from '../../services/search/spelling.ts'
import { paint, paintAside } from '../colours.ts'
import { exits, Failure } from './failure.ts'
import { examples } from './help.ts'
import { type Column, formatOf, grouped, printList, say } from './output.ts'
import { askServers, type ServerOptions } from './servers.ts'
import type { GlobalOptions } from './session.ts'

interface ClearOptions extends ServerOptions {
  all?: boolean
  dryRun?: boolean
}

/** A cache as one process has it. */
type Held = CacheStats & { server: string }

export function cachesCommand(): Command {
  const command = new Command('caches').description('what the running servers remember, and how well that serves them')
  const ls = at(new Command('ls').description('each cache: its entries, and the hits of each process')).action(
    async () => {
      const format = formatOf(ls.optsWithGlobals<GlobalOptions>())
      const caches = await cachesOf(ls.opts<ServerOptions>())
      printList(format, caches, columns)
      if (caches.some(({ fallback }) => fallback))
        say(paintAside.yellow('Redis is not there: reads ask the database until it is back'))
    },
  )
  const clear = at(new Command('clear').description('forget what is in a cache, in every process; reads fill it again'))
    .argument('[cache]', 'its name')
    .option('--all', 'every cache')
    .option('--dry-run', 'only show what would be forgotten')
    .action((name: string | undefined) =>
      clearCaches(name, clear.opts<ClearOptions>(), formatOf(clear.optsWithGlobals<GlobalOptions>())),
    )
  command.addCommand(examples(ls, 'lockstep caches ls', 'lockstep caches ls --json name,entries,hitRate'))
  command.addCommand(examples(clear, 'lockstep caches clear search', 'lockstep caches clear --all --dry-run'))
  return examples(command, 'lockstep caches ls', 'lockstep caches clear search')
}

const at = (command: Command) =>
  command.addOption(new Option('--url <url>', 'the server to ask, instead of all on LOCKSTEP_DATA').env('LOCKSTEP_URL'))

async function cachesOf(options: ServerOptions): Promise<Held[]> {
  const answers = await askServers<{ items?: CacheStats[] }>(options, '/caches')
  // A process that serves other services alone has none.
  return answers.flatMap(({ url, body }) => (body.items ?? []).map((stats) => ({ ...stats, server: url })))
}

async function clearCaches(
  name: string | undefined,
  options: ClearOptions,
  format: ReturnType<typeof formatOf>,
): Promise<void> {
  if ((name !== undefined) === (options.all ?? false))
    throw new Failure(exits.usage, 'which one?', 'give its name, or --all; `lockstep caches ls` lists them')
  const all = await cachesOf(options)
  const caches = all.filter((cache) => name === undefined || cache.name === name)
  if (name !== undefined && caches.length === 0) throw unknown(name, [...new Set(all.map((cache) => cache.name))])
  // In Redis the processes share one.
  const entries = [...new Map(caches.map((cache) => [place(cache), cache.entries])).values()].reduce((a, b) => a + b, 0)
  const names = [...new Set(caches.map((cache) => cache.name))]
  const left: Held[] = []
  if (!options.dryRun)
    for (const { server, name } of caches) {
      const [answer] = await askServers<CacheStats>(
        { url: server },
        `/caches/${encodeURIComponent(name)}/clear`,
        'POST',
      )
      if (answer) left.push({ ...answer.body, server })
    }
  if (format !== 'table') printList(format, options.dryRun ? caches : left, columns)
  const what = `${grouped(entries)} entries of ${names.join(', ')}`
  say(
    options.dryRun
      ? `${paintAside.yellow('dry run:')} ${what} would be forgotten`
      : `${paintAside.green('✓')} ${what} forgotten`,
  )
}

const place = ({ name, kept, server }: Held) => (kept === 'redis' ? name : `${server} ${name}`)

function unknown(name: string, names: string[]): Failure {
  const [meant] = nearest(name, names)
  const next = meant ? `did you mean ${meant}?` : `there are ${names.join(', ')}`
  return new Failure(exits.notFound, `there is no cache ${name}`, next)
}

const percent = ({ hits, misses, hitRate }: Held) => (hits + misses === 0 ? '' : `${(hitRate * 100).toFixed(1)} %`)

const columns: Column<Held>[] = [
  { head: 'cache', value: ({ name }) => name, paint: (text) => paint.bold(text) },
  { head: 'entries', value: ({ entries }) => entries },
  { head: 'at most', value: ({ maxEntries }) => maxEntries, wide: true },
  { head: 'hit rate', value: percent },
  { head: 'hits', value: ({ hits }) => hits },
  { head: 'misses', value: ({ misses }) => misses },
  { head: 'passed by', value: ({ bypassed }) => bypassed, wide: true },
  { head: 'left for room', value: ({ evictions }) => evictions, wide: true },
  { head: 'changes', value: ({ invalidations }) => invalidations, wide: true },
  {
    head: 'kept in',
    value: ({ kept, fallback }) => (fallback ? 'Redis, away' : kept === 'redis' ? 'Redis' : 'memory'),
  },
  { head: 'server', value: ({ server }) => server.replace(/^https?:\/\//, '') },
]
