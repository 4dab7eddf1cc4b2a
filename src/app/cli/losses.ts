/** `lockstep losses`: events that were seen and are in the log no more, and the word of a person who goes on without them. */
import { Command } from 'commander'
import type { LostEvent } from '../../engine/losses.ts'
import { paint, paintAside } from '../colours.ts'
import { exits } from './failure.ts'
import { examples } from './help.ts'
import { type Column, grouped, printList, say } from './output.ts'
import { confirm, inSystem, type Session } from './session.ts'

interface Options {
  all?: boolean
  dryRun?: boolean
  yes?: boolean
}

export function lossesCommand(): Command {
  const command = new Command('losses').description('commits lost by a failover or a restore, and how to go on')
  const ls = new Command('ls')
    .description('the events that were seen and are in the log no more')
    .option('--all', 'those accepted as well')
    .action(() => inSystem(ls, (session) => list(session, ls.opts<Options>())))
  const accept = new Command('accept')
    .description('go on without them: writes are taken again, and other events will have their positions')
    .option('--dry-run', 'only say what it would do')
    .option('-y, --yes', 'do not ask')
    .action(() => inSystem(accept, (session) => acceptAll(session, accept.opts<Options>())))
  command.addCommand(examples(ls, 'lockstep losses ls', 'lockstep losses ls -o json > lost.json'))
  command.addCommand(examples(accept, 'lockstep losses accept --dry-run', 'lockstep losses accept'))
  return examples(command, 'lockstep losses ls', 'lockstep losses accept')
}

async function list({ db, format }: Session, { all = false }: Options): Promise<number> {
  const { listLost } = await import('../../engine/losses.ts')
  const lost = await listLost(db, { all })
  printList(format, lost, columns)
  const standing = lost.filter(({ acceptedAt }) => acceptedAt === null).length
  say('')
  if (standing === 0) say(`${paintAside.green('✓')} nothing is lost that is not accepted`)
  else {
    say(`${paintAside.red('✗')} ${grouped(standing)} lost; nothing is written until that is accepted`)
    say('with the server they were on, go back to it; without: lockstep losses accept')
  }
  return standing === 0 ? exits.ok : exits.findings
}

async function acceptAll({ db, config }: Session, options: Options): Promise<number> {
  const { acceptLoss, standingLoss } = await import('../../engine/losses.ts')
  const loss = await standingLoss(db)
  if (!loss) {
    say('nothing is lost that is not accepted')
    return exits.ok
  }
  const what = `${grouped(loss.events)} lost events (positions ${loss.first} to ${loss.last}) are given up; they stay to be read under lockstep losses ls --all.`
  if (options.dryRun) {
    say(`${paintAside.yellow('dry run:')} ${what}`)
    return exits.ok
  }
  await confirm(`${what} Go on?`, options)
  say(
    `${paintAside.green('✓')} ${grouped(await acceptLoss(db))} are accepted as lost; whoever serves goes on within a second`,
  )
  say('next: lockstep verify; what follows from outside of this database has seen them and begins anew')
  if (config.redisUrl) say('the sync status in Redis is written anew by POST /v1/sync-mirror/rebuild')
  return exits.ok
}

const columns: Column<LostEvent>[] = [
  { head: 'position', value: ({ position }) => position },
  { head: 'event', value: ({ type }) => type, paint: (text) => paint.bold(text) },
  { head: 'of', value: ({ entity, version }) => `${entity}@${version}` },
  { head: 'by', value: ({ meta }) => meta.actor ?? '' },
  { head: 'at', value: ({ at }) => at.toISOString() },
  { head: 'accepted', value: ({ acceptedAt }) => acceptedAt?.toISOString() ?? '', wide: true },
]
