/** `lockstep wait product/123@57`: the sync token as a shell primitive. */
import { Command, Option } from 'commander'
import type { Sql } from '../../engine/database.ts'
import { parseSyncToken } from '../../engine/event.ts'
import { nearest } from '../../services/search/spelling.ts'
import { paintAside } from '../colours.ts'
import { exits, Failure } from './failure.ts'
import { examples } from './help.ts'
import { lasting, printList, say } from './output.ts'
import { duration, inSystem, type Session } from './session.ts'
import { statusColumns } from './status.ts'

interface Options {
  consumers?: string[]
  timeout: number
}

export function waitCommand(): Command {
  const command = new Command('wait')
    .description(
      'wait until every consumer has these versions: exit code 0, or 7 when the time is over, or 1 when one has given up',
    )
    .argument('<token...>', 'sync tokens, as every write answers them')
    .addOption(
      new Option('-c, --consumers <names>', 'wait for these alone, separated by commas')
        .env('LOCKSTEP_CONSUMERS')
        .argParser((text) => text.split(',').map((name) => name.trim())),
    )
    .addOption(
      new Option('-t, --timeout <time>', 'at most so long')
        .env('LOCKSTEP_TIMEOUT')
        .argParser(duration)
        .default(5_000, '5s'),
    )
    .action((tokens: string[]) => {
      const targets = tokens.map(read)
      return inSystem(command, (session) => waitForAll(session, targets, command.opts<Options>()))
    })
  return examples(
    command,
    'lockstep wait product/lamp-01@57',
    'lockstep wait stock/LAMP-01-RED@12 --consumers search,storefront --timeout 2s && echo in search',
  )
}

interface Target {
  token: string
  entity: string
  version: number
}

function read(token: string): Target {
  try {
    return { token, ...parseSyncToken(token) }
  } catch (error) {
    throw new Failure(exits.usage, (error as Error).message)
  }
}

async function waitForAll({ db, format, signal }: Session, targets: Target[], { consumers, timeout }: Options) {
  const { waitForSync } = await import('../../engine/sync-status.ts')
  if (consumers) await known(db, consumers)
  const begun = performance.now()
  const left = () => Math.max(0, timeout - (performance.now() - begun))
  const outcomes = await Promise.all(
    targets.map(async ({ token, entity, version }) => {
      const key = await keyOf(db, entity, version, left, signal)
      if (key === undefined) return { token, status: 'unknown' as const, waitingFor: [] }
      const status = await waitForSync(db, key, { at: { entity, version }, consumers, waitMs: left(), signal })
      const awaited = status.consumers.filter(({ consumer }) => consumers?.includes(consumer) ?? true)
      const open = awaited.filter((each) => each.status !== 'done')
      const failed = open.some((each) => each.status === 'failed')
      return {
        token,
        status: open.length === 0 ? ('done' as const) : failed ? ('failed' as const) : ('waiting' as const),
        waitingFor: open,
      }
    }),
  )
  if (format === 'table' || format === 'wide') {
    for (const { token, status, waitingFor } of outcomes) {
      if (status === 'done')
        say(
          `${paintAside.green('✓')} ${token} ${paintAside.dim(`after ${lasting((performance.now() - begun) / 1_000)}`)}`,
        )
      else say(`${paintAside.red('✗')} ${token}${status === 'unknown' ? ': there is no such version' : ''}`)
      printList(format, waitingFor, statusColumns)
    }
  } else printList(format, outcomes, [])
  if (outcomes.some(({ status }) => status === 'failed')) return exits.failed
  return outcomes.every(({ status }) => status === 'done') ? exits.ok : exits.unavailable
}

/** The key that the entity's version is kept under, once there is such a version; undefined when the time is over. */
async function keyOf(db: Sql, entity: string, version: number, left: () => number, signal: AbortSignal) {
  const { pause } = await import('../../engine/deadline.ts')
  for (;;) {
    const [row] = await db<{ key: string }>`
      select key from lockstep.events where entity = ${entity} and version >= ${version} order by version limit 1`
    if (row || left() === 0 || signal.aborted) return row?.key
    await pause(Math.min(25, left()), signal)
  }
}

async function known(db: Sql, names: string[]) {
  const rows = await db<{ name: string }>`select name from lockstep.consumers order by name`
  const all = rows.map(({ name }) => name)
  const strange = names.find((name) => !all.includes(name))
  if (strange === undefined) return
  const [meant] = nearest(strange, all)
  throw new Failure(
    exits.notFound,
    `there is no consumer ${strange}`,
    meant ? `did you mean ${meant}?` : `there are ${all.join(', ')}`,
  )
}
