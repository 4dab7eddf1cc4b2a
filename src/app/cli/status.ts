/** `lockstep status`: how far every consumer has come; for one product, who has its change, who has not, and why. */
import { Command } from 'commander'
import type { ConsumerState } from '../../engine/consumers.ts'
import type { ConsumerStatus } from '../../engine/sync-status.ts'
import { paint, paintAside } from '../colours.ts'
import { exits } from './failure.ts'
import { examples } from './help.ts'
import { type Column, grouped, lasting, printList, printOne, say, table } from './output.ts'
import { inSystem, type Session } from './session.ts'
import { keyOf } from './subject.ts'

export function statusCommand(): Command {
  const command = new Command('status')
    .description(
      'how far each consumer has come; for a product or a customer, who has its change, who has not, and why',
    )
    .argument('[product]', 'id of a product, one of its SKUs, or another key: customer/7, order/42')
    .action((given: string | undefined) =>
      inSystem(command, (session) => (given === undefined ? ofAll(session) : ofKey(session, given))),
    )
  return examples(
    command,
    'lockstep status',
    'lockstep status lamp-01',
    'lockstep status LAMP-01-RED --json overallStatus',
    'lockstep status customer/7',
  )
}

async function ofAll({ db, format }: Session): Promise<number> {
  const [{ listConsumers }, { describeLoss, standingLoss }] = await Promise.all([
    import('../../engine/consumers.ts'),
    import('../../engine/losses.ts'),
  ])
  const [consumers, loss] = await Promise.all([listConsumers(db), standingLoss(db)])
  printList(format, consumers, consumerColumns)
  const behind = consumers.filter(({ lagEvents }) => lagEvents > 0)
  const dead = consumers.reduce((sum, consumer) => sum + consumer.dead, 0)
  const end = consumers[0]?.end ?? 0
  say('')
  say(
    behind.length === 0
      ? `${paintAside.green('✓')} all ${consumers.length} consumers have all ${grouped(end)} events`
      : `${paintAside.yellow('…')} ${behind.length} of ${consumers.length} consumers have not come to the log's end, ${grouped(end)}, yet`,
  )
  if (dead > 0)
    say(`${paintAside.red('✗')} ${grouped(dead)} dead letters: ${paintAside.bold('lockstep dead-letters ls')}`)
  if (loss) say(`${paintAside.red('✗')} ${describeLoss(loss)}`)
  const orphans = consumers.filter(({ owner, paused }) => owner === null && !paused)
  if (orphans.length > 0)
    say(paintAside.yellow(`nobody runs ${orphans.map(({ name }) => name).join(', ')}: npx lockstep serve`))
  return exits.ok
}

export const consumerColumns: Column<ConsumerState>[] = [
  { head: 'consumer', value: ({ name }) => name, paint: (text) => paint.bold(text) },
  { head: 'kind', value: ({ kind }) => kind, wide: true },
  { head: 'state', value: stateOf, paint: (text) => stateColours[text]?.(text) ?? text },
  { head: 'position', value: ({ position }) => position },
  { head: 'behind', value: ({ lagEvents }) => lagEvents },
  { head: 'since', value: ({ lagEvents, lagSeconds }) => (lagEvents === 0 ? '' : lasting(lagSeconds)) },
  { head: 'retrying', value: ({ retrying }) => retrying, paint: (text) => (text === '0' ? text : paint.yellow(text)) },
  { head: 'dead', value: ({ dead }) => dead, paint: (text) => (text === '0' ? text : paint.red(text)) },
  { head: 'follows', value: ({ on }) => on.join(' '), wide: true },
  { head: 'owner', value: ({ owner }) => owner ?? '', wide: true },
]

function stateOf({ paused, owner, lagEvents }: ConsumerState): string {
  if (paused) return 'paused'
  if (owner === null) return 'not running'
  return lagEvents === 0 ? 'up to date' : 'catching up'
}

const stateColours: Record<string, (text: string) => string> = {
  paused: paint.yellow,
  'not running': paint.yellow,
  'catching up': paint.cyan,
  'up to date': paint.green,
}

async function ofKey({ db, format }: Session, given: string): Promise<number> {
  const { syncStatus } = await import('../../engine/sync-status.ts')
  const { kind, id, version } = await keyOf(db, given)
  const status = await syncStatus(db, id)
  const named = kind === 'product' ? { productId: id } : {}
  printOne(format, { ...named, version, ...status }, () => table(status.consumers, statusColumns).join('\n'))
  const name = id.startsWith(`${kind}/`) ? id.slice(kind.length + 1) : id
  say('')
  say(
    `${kind} ${paintAside.bold(name)} version ${version}: ${overallColours[status.overallStatus](status.overallStatus)}`,
  )
  return exits.ok
}

const overallColours = {
  completed: paintAside.green,
  processing: paintAside.cyan,
  'partial-failure': paintAside.red,
}

const statusColours = { done: paint.green, pending: paint.cyan, retrying: paint.yellow, failed: paint.red }

export const statusColumns: Column<ConsumerStatus>[] = [
  { head: 'consumer', value: ({ consumer }) => consumer, paint: (text) => paint.bold(text) },
  { head: 'status', value: ({ status }) => status, paint: (text, { status }) => statusColours[status](text) },
  { head: 'why', value: reasonOf },
]

/** Why a consumer is where it is with a key. */
export function reasonOf(status: ConsumerStatus): string {
  if (status.failureId !== undefined) {
    const tries = `${status.attempts} ${status.attempts === 1 ? 'try' : 'tries'}`
    const next = status.retryAt ? `, next ${inTime(status.retryAt)}` : ''
    const letter = status.status === 'failed' ? `dead letter ${status.failureId} after ` : ''
    return `${letter}${tries}${next}: ${status.error || 'waits behind an earlier event'}`
  }
  if (status.pendingType) return `has ${status.pendingType} to do, in the log for ${ago(status.pendingSince)}`
  return status.concerned ? '' : 'follows nothing that happened to it'
}

const inTime = (at: Date) => {
  const seconds = (at.getTime() - Date.now()) / 1_000
  return seconds <= 0 ? 'now' : `in ${lasting(seconds)}`
}

const ago = (at: Date | undefined) => lasting(Math.max(0, Date.now() - (at?.getTime() ?? Date.now())) / 1_000)
