/** `lockstep events`: the log, from its beginning or as it grows. */
import { Command, Option } from 'commander'
import type { LoggedEvent } from '../../engine/event.ts'
import type { EventFilter } from '../../engine/log.ts'
import { paint } from '../colours.ts'
import { exits, Failure } from './failure.ts'
import { examples } from './help.ts'
import { type Column, type Format, oneLine, print, printData, printList, say } from './output.ts'
import { inSystem, type Session, whole } from './session.ts'
import { eventDetails, eventLine, eventSummary } from './story.ts'

interface Options extends EventFilter {
  after?: number
  limit: number
}

/** Events read at once. */
const CHUNK = 500

export function eventsCommand(): Command {
  const command = new Command('events').description('the log: list it, or follow it as it grows')
  const ls = filtered(new Command('ls').description('events, the newest unless --after says where to begin'))
    .addOption(new Option('-n, --limit <n>', 'at most so many').argParser(whole('--limit', 1, 1_000_000)).default(20))
    .action(() => inSystem(ls, (session) => list(session, ls.opts<Options>())))
  const tail = filtered(new Command('tail').description('events as they happen, until Ctrl-C'))
    .addOption(new Option('-n, --limit <n>', 'stop after so many').argParser(whole('--limit', 1, 1_000_000)))
    .action(() => inSystem(tail, (session) => follow(session, tail.opts<Options>())))
  command.addCommand(
    examples(ls, 'lockstep events ls --key lamp-01', 'lockstep events ls --type "stock.*" --after 0 -o ndjson'),
  )
  command.addCommand(
    examples(tail, 'lockstep events tail', 'lockstep events tail --type product.updated -o ndjson | jq .data.changes'),
  )
  return examples(command, 'lockstep events tail', 'lockstep events ls --key lamp-01 --limit 50')
}

const filtered = (command: Command) =>
  command
    .option('-k, --key <key>', 'of this key: a product’s id')
    .option('-e, --entity <entity>', 'of this entity: product/123, stock/LAMP-01-RED')
    .option('-t, --type <type>', 'of this type: product.updated, stock.*')
    .option('--correlation-id <id>', 'of one request and what followed from it')
    .addOption(
      new Option('-a, --after <position>', 'after this position').argParser(
        whole('--after', 0, Number.MAX_SAFE_INTEGER),
      ),
    )

const columns: Column<LoggedEvent>[] = [
  { head: 'position', value: ({ position }) => position },
  { head: 'at', value: ({ at }) => at.toISOString().slice(0, 23).replace('T', ' ') },
  { head: 'type', value: ({ type }) => type, paint: paint.cyan },
  { head: 'entity', value: ({ entity, version }) => `${oneLine(entity)}@${version}` },
  { head: 'key', value: ({ key }) => key, wide: true },
  { head: 'id', value: ({ id }) => id, wide: true },
  { head: 'actor', value: ({ meta }) => meta.actor ?? '' },
  { head: 'what', value: eventSummary },
]

async function list({ db, format }: Session, options: Options): Promise<number> {
  const { search } = await import('../../engine/log.ts')
  checkType(options.type)
  const events =
    options.after === undefined ? await newest(db, options) : await search(db, options, options.after, options.limit)
  printList(format, events, columns)
  if (events.length === 0) say('no events')
  return exits.ok
}

/** The last so many that fit, oldest first. */
async function newest(db: Session['db'], { key, entity, type, correlationId, limit }: Options): Promise<LoggedEvent[]> {
  const { likePattern, readAt } = await import('../../engine/log.ts')
  const rows = await db<{ position: number }>`
    select position
    from   lockstep.events
    where  (${key ?? null}::text is null or key = ${key ?? null})
      and  (${entity ?? null}::text is null or entity = ${entity ?? null})
      and  (${type ?? null}::text is null or type like ${type === undefined ? null : likePattern(type)})
      and  (${correlationId ?? null}::text is null or meta ->> 'correlationId' = ${correlationId ?? null})
    order  by position desc
    limit  ${limit}`
  return readAt(
    db,
    rows.map(({ position }) => position),
  )
}

/** Woken by the log's own notifications; looks by itself twice a second in case one is lost. */
async function follow({ db, format, signal }: Session, options: Options): Promise<number> {
  const [{ headPosition, search }, { pause }] = await Promise.all([
    import('../../engine/log.ts'),
    import('../../engine/deadline.ts'),
  ])
  checkType(options.type)
  let after = options.after ?? (await headPosition(db))
  let left = options.limit ?? Number.POSITIVE_INFINITY
  let wake = new AbortController()
  const unlisten = await db.listen('lockstep_log', () => wake.abort())
  if (options.after === undefined) say(paint.dim(`waiting for what comes after position ${after}; Ctrl-C ends it`))
  try {
    while (!signal.aborted && left > 0) {
      wake = new AbortController()
      const end = await headPosition(db)
      const events = end > after ? await search(db, options, after, Math.min(CHUNK, left)) : []
      for (const event of events) show(event, format)
      left -= events.length
      after = events.length === Math.min(CHUNK, left + events.length) ? (events.at(-1)?.position ?? end) : end
      if (events.length < CHUNK) await pause(500, AbortSignal.any([signal, wake.signal]))
    }
  } finally {
    await unlisten()
  }
  return exits.ok
}

function show(event: LoggedEvent, format: Format): void {
  if (format !== 'table' && format !== 'wide') {
    printData('ndjson', event)
    return
  }
  print(eventLine(event))
  for (const detail of eventDetails(event)) print(`           ${detail}`)
}

function checkType(type: string | undefined): void {
  if (type === undefined || /^(?:\*|[a-z0-9-]+(?:\.[a-z0-9-]+)*(?:\.\*)?)$/.test(type)) return
  throw new Failure(
    exits.usage,
    `${JSON.stringify(type)} is no type of event`,
    'one looks like product.updated or product.*',
  )
}
