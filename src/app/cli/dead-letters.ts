/** `lockstep dead-letters`: what consumers have given up; look at it, try it again, put it aside, take it back. */
import { Command, Option } from 'commander'
import type { Failure as DeadLetter, FailureState } from '../../engine/failures.ts'
import { paint, paintAside } from '../colours.ts'
import { find } from './consumers.ts'
import { failureLines } from './explain.ts'
import { exits, Failure } from './failure.ts'
import { examples } from './help.ts'
import { type Column, grouped, lasting, oneLine, printList, printOne, say } from './output.ts'
import { confirm, inSystem, type Session, tellIfUnserved, whole } from './session.ts'

interface Options {
  consumer?: string
  key?: string
  discarded?: boolean
  all?: boolean
  limit: number
  allMatching?: boolean
  dryRun?: boolean
  yes?: boolean
}

export function deadLettersCommand(): Command {
  const command = new Command('dead-letters').alias('dlq').description('what consumers have given up')
  const ls = matching(new Command('ls').description('dead letters, the newest first'))
    .option('--discarded', 'those put aside instead')
    .option('--all', 'also what is still being retried or waits')
    .addOption(new Option('-n, --limit <n>', 'at most so many').argParser(whole('--limit', 1, 100_000)).default(50))
    .action(() => inSystem(ls, (session) => list(session, ls.opts<Options>())))
  const show = new Command('show')
    .description('one of them, with the error of every attempt and its event')
    .argument('<id>', 'its number', whole('the id', 1, Number.MAX_SAFE_INTEGER))
    .action((id: number) => inSystem(show, (session) => showOne(session, id)))
  command.addCommand(examples(ls, 'lockstep dead-letters ls', 'lockstep dead-letters ls --consumer search -o ndjson'))
  command.addCommand(examples(show, 'lockstep dead-letters show 12'))
  for (const change of changes) command.addCommand(changeCommand(change))
  return examples(command, 'lockstep dead-letters ls', 'lockstep dead-letters retry --consumer search --all-matching')
}

const matching = (command: Command) =>
  command.option('-c, --consumer <name>', 'of this consumer').option('-k, --key <key>', 'of this key: a product’s id')

interface Change {
  verb: 'retry' | 'discard' | 'restore'
  done: string
  description: string
  from: FailureState[]
}

const changes: Change[] = [
  {
    verb: 'retry',
    done: 'tried again now',
    description: 'try again now, with all attempts ahead',
    from: ['dead', 'retrying'],
  },
  {
    verb: 'discard',
    done: 'put aside',
    description: 'put aside; nothing is lost, restore takes it back',
    from: ['dead'],
  },
  {
    verb: 'restore',
    done: 'taken back',
    description: 'take back what was put aside, as it was; nothing is tried',
    from: ['discarded'],
  },
]

function changeCommand(change: Change): Command {
  const command = matching(new Command(change.verb).description(change.description))
    .argument('[id...]', 'their numbers')
    .option('--all-matching', 'all that --consumer and --key say')
    .option('--dry-run', 'only show which')
    .option('-y, --yes', 'do not ask')
    .action((ids: string[]) => {
      const numbers = ids.map(whole('an id', 1, Number.MAX_SAFE_INTEGER))
      return inSystem(command, (session) => carryOut(session, change, numbers, command.opts<Options>()))
    })
  const all = `lockstep dead-letters ${change.verb} --consumer search --all-matching`
  return examples(command, `lockstep dead-letters ${change.verb} 12 13`, `${all} --dry-run`)
}

const columns: Column<DeadLetter>[] = [
  { head: 'id', value: ({ id }) => String(id), paint: (text) => paint.bold(text) },
  { head: 'consumer', value: ({ consumer }) => consumer },
  { head: 'state', value: ({ state }) => state, wide: true },
  { head: 'key', value: ({ key }) => key },
  { head: 'event', value: ({ type, entity, version }) => `${type} ${oneLine(entity)}@${version}` },
  { head: 'tries', value: ({ attempts }) => attempts },
  { head: 'ago', value: ({ lastAt }) => lasting(Math.max(0, (Date.now() - lastAt.getTime()) / 1_000)) },
  { head: 'error', value: ({ error }) => error },
]

async function list({ db, format }: Session, { consumer, key, limit, discarded, all }: Options): Promise<number> {
  const { listFailures } = await import('../../engine/failures.ts')
  if (consumer !== undefined) await find(db, consumer)
  const states: FailureState[] = all ? ['dead', 'discarded', 'retrying', 'waiting'] : [discarded ? 'discarded' : 'dead']
  const letters = await listFailures(db, { consumer, key, states }, undefined, limit)
  printList(all && format === 'table' ? 'wide' : format, letters, columns)
  if (letters.length === 0)
    say(`${paintAside.green('✓')} ${all ? 'no failures' : discarded ? 'nothing was put aside' : 'no dead letters'}`)
  return exits.ok
}

async function showOne({ db, format }: Session, id: number): Promise<number> {
  const [{ getFailure }, { readAt }] = await Promise.all([
    import('../../engine/failures.ts'),
    import('../../engine/log.ts'),
  ])
  const letter = await getFailure(db, id)
  const [event] = await readAt(db, [letter.position])
  printOne(format, { ...letter, event }, () =>
    [...failureLines(letter), '', paint.bold(`Event ${event?.id ?? ''}`), JSON.stringify(event?.data, null, 2)].join(
      '\n',
    ),
  )
  return exits.ok
}

async function carryOut(
  session: Session,
  { verb, done, from }: Change,
  ids: number[],
  options: Options,
): Promise<number> {
  const { db, system, format } = session
  const { discardFailure, getFailure, listFailures, restoreFailure, retryFailure } = await import(
    '../../engine/failures.ts'
  )
  if (ids.length > 0 === (options.allMatching ?? false)) {
    throw new Failure(exits.usage, 'which ones?', `give their ids, or --all-matching with --consumer or --key`)
  }
  if (options.consumer !== undefined) await find(db, options.consumer)
  const letters = options.allMatching
    ? await listFailures(db, { consumer: options.consumer, key: options.key, states: from }, undefined, 1_000_000)
    : await Promise.all(ids.map((id) => getFailure(db, id)))
  if (options.dryRun) {
    printList(format, letters, columns)
    say(`${paintAside.yellow('dry run:')} ${grouped(letters.length)} would be ${done}`)
    return exits.ok
  }
  if (options.allMatching) {
    if (letters.length === 0) {
      say('nothing matches')
      return exits.ok
    }
    await confirm(`${verb} ${grouped(letters.length)} of them?`, options)
  }
  const change = { retry: retryFailure, discard: discardFailure, restore: restoreFailure }[verb]
  const changed: DeadLetter[] = []
  for (const { id } of letters) changed.push(await change(db, id))
  if (format !== 'table' && format !== 'wide') printList(format, changed, columns)
  say(`${paintAside.green('✓')} ${grouped(changed.length)} ${done}`)
  if (verb === 'retry') await tellIfUnserved(system)
  return exits.ok
}
