/** `lockstep consumers` and `lockstep replay`: stop one, let it go on, hand it the log again. */
import { Command, Option } from 'commander'
import type { ConsumerState } from '../../engine/consumers.ts'
import { nearest } from '../../services/search/spelling.ts'
import { paint, paintAside } from '../colours.ts'
import { exits, Failure } from './failure.ts'
import { examples } from './help.ts'
import { grouped, printList, printOne, say, table } from './output.ts'
import { confirm, inSystem, type Session, tellIfUnserved } from './session.ts'
import { consumerColumns } from './status.ts'

interface Options {
  from: number
  dryRun?: boolean
  yes?: boolean
}

export function consumersCommand(): Command {
  const command = new Command('consumers').description('what follows the log')
  const ls = new Command('ls').description('how far each has come').action(() =>
    inSystem(ls, async ({ db, format }) => {
      const { listConsumers } = await import('../../engine/consumers.ts')
      printList(format, await listConsumers(db), consumerColumns)
      return exits.ok
    }),
  )
  const show = named(new Command('show').description('one consumer, and what it fails at')).action((name: string) =>
    inSystem(show, (session) => showOne(session, name)),
  )
  command.addCommand(examples(ls, 'lockstep consumers ls -o wide'))
  command.addCommand(examples(show, 'lockstep consumers show search'))
  for (const [verb, paused, description] of [
    ['pause', true, 'stop it where it is, in every process'],
    ['resume', false, 'let it go on'],
  ] as const) {
    const change = named(new Command(verb).description(description))
      .option('--dry-run', 'only show what would change')
      .action((name: string) => inSystem(change, (session) => setPause(session, name, paused, change.opts<Options>())))
    command.addCommand(examples(change, `lockstep consumers ${verb} search`))
  }
  const away = named(
    new Command('forget').description('one that no process runs any more, so that nobody waits for it'),
  )
    .option('--dry-run', 'only show what would change')
    .action((name: string) => inSystem(away, (session) => forgetOne(session, name, away.opts<Options>())))
  command.addCommand(examples(away, 'lockstep consumers forget price-list'))
  return examples(command, 'lockstep consumers ls', 'lockstep consumers pause search')
}

export function replayCommand(): Command {
  const command = named(new Command('replay'))
    .description('hand a consumer the log again; a projection replayed from the start is emptied and built anew')
    .addOption(
      new Option('--from <position>', 'the first event it gets again, or start')
        .argParser(position)
        .makeOptionMandatory(),
    )
    .option('--dry-run', 'only say what it would do')
    .option('-y, --yes', 'do not ask')
    .action((name: string) => inSystem(command, (session) => replayOne(session, name, command.opts<Options>())))
  return examples(command, 'lockstep replay search --from start', 'lockstep replay search --from 120000 --dry-run')
}

const named = (command: Command) => command.argument('<consumer>', 'its name')

function position(text: string): number {
  if (text === 'start') return 1
  if (/^\d{1,15}$/.test(text)) return Math.max(1, Number(text))
  throw new Failure(exits.usage, `--from must be a position or start; it is ${JSON.stringify(text)}`)
}

async function showOne({ db, format }: Session, name: string): Promise<number> {
  const { listFailures } = await import('../../engine/failures.ts')
  const state = await find(db, name)
  const failures = await listFailures(db, { consumer: name, states: ['dead', 'retrying', 'waiting'] }, undefined, 20)
  printOne(format, { ...state, failures }, () =>
    [
      ...table([state], consumerColumns, true),
      '',
      ...(failures.length === 0
        ? [paint.green('no failures')]
        : failures.map(({ id, key, error, state }) => `${state} ${id}  ${key}: ${error}`)),
    ].join('\n'),
  )
  return exits.ok
}

async function forgetOne({ db }: Session, name: string, { dryRun }: Options): Promise<number> {
  const { forget } = await import('../../engine/consumers.ts')
  const { position, owner } = await find(db, name)
  if (!dryRun) await forget(db, name)
  else if (owner !== null)
    throw new Failure(
      exits.conflict,
      `${name} is run by ${owner}: it would not be forgotten`,
      'take it out of the code or pause it first',
    )
  if (dryRun) say(`${paintAside.yellow('dry run:')} ${name} would be forgotten, at position ${grouped(position)}`)
  else say(`${paintAside.green('✓')} ${name} is forgotten; it was at position ${grouped(position)}`)
  return exits.ok
}

async function setPause({ db, format }: Session, name: string, paused: boolean, { dryRun }: Options): Promise<number> {
  const { setPaused } = await import('../../engine/consumers.ts')
  const before = await find(db, name)
  const state = dryRun ? before : await setPaused(db, name, paused)
  if (format !== 'table') printList(format, [state], consumerColumns)
  const word = paused ? 'paused' : 'running'
  if (before.paused === paused) say(`${name} is ${word} already`)
  else if (dryRun) say(`${paintAside.yellow('dry run:')} ${name} would be ${word}`)
  else say(`${paintAside.green('✓')} ${name} is ${word}, at position ${grouped(state.position)}`)
  return exits.ok
}

async function replayOne({ db, system, format }: Session, name: string, options: Options): Promise<number> {
  const { replay } = await import('../../engine/consumers.ts')
  const before = await find(db, name)
  const after = options.from - 1
  if (after > before.end)
    throw new Failure(
      exits.conflict,
      `position ${grouped(options.from)} is beyond the end of the log, ${grouped(before.end)}`,
    )
  const consumer = Object.values(system.services)
    .flatMap((service) => service.consumers ?? [])
    .find((each) => each.name === name)
  const empties = after === 0 && consumer?.kind === 'projection' && consumer.reset !== undefined
  const count = grouped(Math.max(0, before.end - after))
  const what =
    before.kind === 'reaction'
      ? `${name} will react again to up to ${count} events: what it did outside is done once more.`
      : `${name} will be ${empties ? 'emptied and built anew from' : 'handed again'} ${count} events.`
  if (options.dryRun) {
    say(`${paintAside.yellow('dry run:')} ${what}`)
    return exits.ok
  }
  await confirm(`${what} Go on?`, options)
  const state = await replay(db, name, after, consumer)
  if (format !== 'table') printList(format, [state], consumerColumns)
  say(`${paintAside.green('✓')} ${name} goes on from position ${grouped(options.from)}`)
  await tellIfUnserved(system)
  return exits.ok
}

/** Throws a Failure with exit code 3, with the name that was probably meant. */
export async function find(db: Session['db'], name: string): Promise<ConsumerState> {
  const { listConsumers } = await import('../../engine/consumers.ts')
  const all = await listConsumers(db)
  const found = all.find((each) => each.name === name)
  if (found) return found
  const names = all.map((each) => each.name)
  const [meant] = nearest(name, names)
  throw new Failure(
    exits.notFound,
    `there is no consumer ${name}`,
    meant ? `did you mean ${meant}?` : `there are ${names.join(', ')}`,
  )
}
