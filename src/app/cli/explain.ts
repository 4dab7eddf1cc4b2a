/** `lockstep explain`: the whole story of a product, SKU, customer, event, order or correlation id. */
import { Command, Option } from 'commander'
import type { Sql } from '../../engine/database.ts'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Failure } from '../../engine/failures.ts'
import type { SyncStatus } from '../../engine/sync-status.ts'
import { paint } from '../colours.ts'
import { exits } from './failure.ts'
import { examples } from './help.ts'
import { oneLine, printOne, table } from './output.ts'
import { inSystem, type Session, whole } from './session.ts'
import { statusColumns } from './status.ts'
import { eventDetails, eventLine } from './story.ts'
import { type Subject, subjectOf } from './subject.ts'

/** Keys of one order or correlation id that are looked into. */
const KEYS = 10
/** Positions that are searched for what no index finds. */
const SCAN = 200_000

export function explainCommand(): Command {
  const command = new Command('explain')
    .description(
      'the whole story of a product, SKU, customer, event, order or correlation id: events, consumers, failures',
    )
    .argument('<id>', 'id of a product, customer, event or order, a SKU, or a correlation id')
    .addOption(new Option('-n, --limit <n>', 'newest events shown').argParser(whole('--limit', 1, 1_000)).default(20))
    .action((id: string) =>
      inSystem(command, (session) => explain(session, id, command.opts<{ limit: number }>().limit)),
    )
  return examples(
    command,
    'lockstep explain lamp-01',
    'lockstep explain LAMP-01-RED -n 100',
    'lockstep explain order-4711 -o json',
  )
}

interface Story {
  subject: Subject
  /** Oldest first. */
  events: LoggedEvent[]
  /** There are older ones. */
  more: boolean
  status: SyncStatus[]
  failures: Failure[]
}

async function explain({ db, format }: Session, id: string, limit: number): Promise<number> {
  const story = await tell(db, await subjectOf(db, id), limit)
  printOne(format, story, () => written(story))
  return exits.ok
}

async function tell(db: Sql, subject: Subject, limit: number): Promise<Story> {
  const [{ readAt }, { listFailures }, { syncStatus }] = await Promise.all([
    import('../../engine/log.ts'),
    import('../../engine/failures.ts'),
    import('../../engine/sync-status.ts'),
  ])
  const positions = await positionsOf(db, subject, limit + 1)
  const events = await readAt(db, positions.slice(0, limit))
  const keys = [...new Set(events.map(({ key }) => key))].slice(0, KEYS)
  const [first] = events
  const at = subject.kind === 'event' && first ? { entity: first.entity, version: first.version } : undefined
  const states = ['retrying', 'waiting', 'dead', 'discarded'] as const
  const [status, failures] = await Promise.all([
    Promise.all(keys.map((key) => syncStatus(db, key, at))),
    Promise.all(keys.map((key) => listFailures(db, { key, states: [...states] }, undefined, 20))),
  ])
  return { subject, events, more: positions.length > limit, status, failures: failures.flat() }
}

/** Newest first. */
async function positionsOf(db: Sql, subject: Subject, limit: number): Promise<number[]> {
  const rows = await find(db, subject, limit)
  return rows.map(({ position }) => position)
}

function find(db: Sql, subject: Subject, limit: number) {
  switch (subject.kind) {
    case 'product':
    case 'customer':
      return db<{ position: number }>`
        select position from lockstep.events where key = ${subject.id} order by position desc limit ${limit}`
    case 'sku':
      return db<{ position: number }>`
        select position from lockstep.events
        where  entity in ('stock/' || ${subject.id}::text, 'product/' || ${subject.productId}::text)
        order  by position desc limit ${limit}`
    case 'event':
      return db<{ position: number }>`
        select position from lockstep.events
        where  position = ${subject.position}
           or  position > ${subject.position} and position < ${subject.position + SCAN} and meta ->> 'causationId' = ${subject.id}
        order  by position limit ${limit}`
    case 'order':
      return db<{ position: number }>`
        select position from (
          select e.position
          from   inventory.ledger l
          join   lockstep.events e on e.entity = 'stock/' || l.sku and e.version = l.version
          where  l.reference = ${subject.id}
          union
          select e.position from lockstep.events e where e.key = 'order/' || ${subject.id}::text
        ) as told
        order  by position desc limit ${limit}`
    case 'correlation':
      return db<{ position: number }>`
        select position from lockstep.events
        where  position > (select position from lockstep.head) - ${SCAN}::bigint and meta ->> 'correlationId' = ${subject.id}
        order  by position desc limit ${limit}`
  }
}

function written({ subject, events, more, status, failures }: Story): string {
  const lines = [`${paint.dim(subject.kind)} ${paint.bold(subject.id)}`, '']
  if (more) lines.push(paint.dim('           … older events: --limit shows more'))
  for (const event of events) {
    lines.push(eventLine(event))
    for (const detail of eventDetails(event)) lines.push(`           ${detail}`)
  }
  for (const { key, overallStatus, consumers } of status) {
    const whose = status.length > 1 || subject.id !== key ? ` of ${oneLine(key)}` : ''
    lines.push('', `${paint.bold('Consumers')}${whose}: ${overallStatus}`, ...table(consumers, statusColumns))
  }
  if (failures.length > 0) lines.push('', paint.bold('Failures'))
  for (const failure of failures) lines.push(...failureLines(failure))
  return lines.join('\n')
}

export function failureLines({ id, consumer, state, type, entity, version, history }: Failure): string[] {
  const colour = state === 'dead' ? paint.red : state === 'discarded' ? paint.dim : paint.yellow
  return [
    `${colour(state)} ${paint.bold(`${id}`)}  ${consumer} at ${type} of ${oneLine(entity)}@${version}`,
    ...[...history]
      .reverse()
      .map(({ at, error }) => `  ${paint.dim(at.slice(0, 19).replace('T', ' '))}  ${oneLine(error)}`),
  ]
}
