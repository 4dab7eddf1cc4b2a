/** `lockstep feeds`: what comes from other systems; run a feed, see what it would do, say yes or no to what is held. */
import { createReadStream } from 'node:fs'
import { Command, Option } from 'commander'
import { paint, paintAside } from '../colours.ts'
import type { FeedView } from '../feeds/feeds.ts'
import type { Run } from '../feeds/runs.ts'
import type { ShownChange } from '../feeds/views.ts'
import { exits, Failure } from './failure.ts'
import { mustBeFile } from './given-file.ts'
import { examples } from './help.ts'
import { type Column, cut, grouped, lasting, oneLine, printList, printOne, say, table } from './output.ts'
import { progressView } from './progress.ts'
import { confirm, inSystem, type Session, tellIfUnserved, whole } from './session.ts'

interface RunOptions {
  dryRun?: boolean
  force?: boolean
  asOf?: string
}

interface WordOptions {
  dryRun?: boolean
  yes?: boolean
}

export function feedsCommand(): Command {
  const command = new Command('feeds').description('what comes from other systems: catalogues, prices, stock')
  const ls = new Command('ls').description('feeds, when they are due, and their last runs').action(() =>
    inSystem(ls, async ({ db, format }) => {
      const { listFeeds } = await import('../feeds/feeds.ts')
      const feeds = await listFeeds(db, '', 10_000)
      const { shownFeed } = await import('../feeds/views.ts')
      if (format === 'table' || format === 'wide') printList(format, feeds, feedColumns)
      else printList(format, feeds.map(shownFeed), [])
      if (feeds.length === 0) say('no feeds; POST /v1/feeds defines one')
      return exits.ok
    }),
  )
  const run = new Command('run')
    .description('read a feed now, from its source or from a file; exit code 6 when it is held')
    .argument('<name>', 'the feed’s name')
    .argument('[file]', 'instead of its source')
    .option('--dry-run', 'only find out what it would do; approve carries that out')
    .option('--force', 'read it although its source says that nothing has changed')
    .addOption(new Option('--as-of <time>', 'the time that its rows speak of: 2026-01-31T08:00:00Z').argParser(time))
    .action((name: string, file?: string) =>
      inSystem(run, (session) => runOne(session, name, file, run.opts<RunOptions>())),
    )
  const show = new Command('show')
    .description('a feed with its latest runs, or a run: what it did or would do, and why it is held')
    .argument('<name or run>', 'the feed’s name, or a run’s number')
    .action((given: string) => inSystem(show, (session) => showOne(session, given)))
  command.addCommand(examples(ls, 'lockstep feeds ls', 'lockstep feeds ls --json name,nextAt,lastRun.status'))
  command.addCommand(
    examples(run, 'lockstep feeds run erp-stock', 'lockstep feeds run supplier products.csv --dry-run'),
  )
  command.addCommand(examples(show, 'lockstep feeds show erp-stock', 'lockstep feeds show 17'))
  for (const [word, description] of [
    ['approve', 'carry out a held run, measured against what is there by now'],
    ['reject', 'drop a held run'],
  ] as const) {
    const decide = new Command(word)
      .description(description)
      .argument('<run>', 'its number', whole('the run', 1, Number.MAX_SAFE_INTEGER))
      .option('--dry-run', 'only show what it would do')
      .option('-y, --yes', 'do not ask')
      .action((id: number) => inSystem(decide, (session) => sayWord(session, word, id, decide.opts<WordOptions>())))
    command.addCommand(examples(decide, `lockstep feeds ${word} 17`, `lockstep feeds ${word} 17 --yes`))
  }
  return examples(command, 'lockstep feeds ls', 'lockstep feeds run erp-stock', 'lockstep feeds approve 17')
}

function time(text: string): string {
  if (/^\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:\d\d)$/.test(text) && Date.parse(text) <= Date.now())
    return new Date(text).toISOString()
  throw new Failure(exits.usage, `--as-of must be a time that has been, with its offset; it is ${JSON.stringify(text)}`)
}

async function runOne(session: Session, name: string, file: string | undefined, options: RunOptions): Promise<number> {
  const { db, config } = session
  const [{ feedOf }, { getRun, queueUpload, startRun }, { keepUpload }] = await Promise.all([
    import('../feeds/feeds.ts'),
    import('../feeds/runs.ts'),
    import('../feeds/source.ts'),
  ])
  await feedOf(db, name)
  if (file !== undefined) await mustBeFile(file)
  const origin = file === undefined ? ('request' as const) : ('upload' as const)
  const { force: forced, dryRun, asOf } = options
  const { id } = await startRun(db, { feed: name, origin, startedBy: 'cli', forced, dryRun, asOf })
  if (file !== undefined) {
    await keepUpload(db, id, createReadStream(file), config.feeds.bytesMax)
    await queueUpload(db, id)
  }
  const run = await follow(session, id)
  await print(session, await getRun(db, run.id))
  return outcome(session, run)
}

/** Works on it here, if this process gets the turn; else whoever serves does. Shows how far it is until it rests. */
async function follow({ db, system, signal }: Session, id: number): Promise<Run> {
  const [{ getRun, resting }, { pause }] = await Promise.all([
    import('../feeds/runs.ts'),
    import('../../engine/deadline.ts'),
  ])
  const runner = system.services.feeds.runner()
  const view = progressView()
  const begun = performance.now()
  let working = true
  const work = (async () => {
    while (working && !signal.aborted) if (!(await runner.step(signal))) await pause(200, signal)
  })()
  work.catch(() => {})
  try {
    for (;;) {
      const run = await getRun(db, id)
      if (resting.includes(run.status)) return run
      if (signal.aborted) {
        say(`run ${id} goes on where a server runs, or at the next \`lockstep feeds run\`: lockstep feeds show ${id}`)
        return run
      }
      view.show(progressOf(run, (performance.now() - begun) / 1_000))
      await Promise.race([pause(200, signal), work.then(() => new Promise(() => {}))])
    }
  } finally {
    working = false
    view.end()
    await work.catch(() => {})
    runner.leave()
  }
}

/** Reading counts bytes, carrying out counts changes. */
function progressOf(run: Run, seconds: number) {
  const { rows, created, changed, removed, applied, failed } = run
  const applying = run.status === 'applying'
  const [bytes, bytesTotal] = applying
    ? [applied + failed, created + changed + removed]
    : [run.bytes, run.bytesTotal || 1]
  const done = applying ? bytes : rows
  return { rows: done, bytes, bytesTotal, rowsPerSecond: Math.round(done / seconds), etaSeconds: undefined }
}

async function outcome({ system, db, signal }: Session, { id, status, reasons, error, feed }: Run): Promise<number> {
  if (signal.aborted) return exits.interrupted
  if (status === 'failed') throw new Failure(exits.failed, `run ${id} of ${feed} failed: ${error}`)
  if (status === 'held') {
    for (const { detail } of reasons) say(`${paintAside.yellow('held')} ${detail}`)
    say(`lockstep feeds approve ${id}, or reject ${id}`)
    return exits.findings
  }
  say(`${paintAside.green('✓')} run ${id} of ${feed} is ${status}`)
  const { getRun } = await import('../feeds/runs.ts')
  if ((await getRun(db, id)).applied > 0) await tellIfUnserved(system)
  return exits.ok
}

async function showOne(session: Session, given: string): Promise<number> {
  const { db, format } = session
  const { getRun, listRuns } = await import('../feeds/runs.ts')
  if (/^\d{1,15}$/.test(given)) {
    await print(session, await getRun(db, Number(given)))
    return exits.ok
  }
  const [{ viewFeed }, { shownFeed, shownRun }] = await Promise.all([
    import('../feeds/feeds.ts'),
    import('../feeds/views.ts'),
  ])
  const feed = await viewFeed(db, given)
  const runs = await listRuns(db, given, undefined, 20)
  printOne(format, { ...shownFeed(feed), runs: runs.map(shownRun) }, () =>
    [...table([feed], feedColumns, true), '', ...(runs.length > 0 ? table(runs, runColumns) : ['no runs yet'])].join(
      '\n',
    ),
  )
  return exits.ok
}

async function sayWord(
  session: Session,
  word: 'approve' | 'reject',
  id: number,
  options: WordOptions,
): Promise<number> {
  const { db } = session
  const { decideRun, getRun } = await import('../feeds/runs.ts')
  const held = await getRun(db, id)
  const would = held.created + held.changed + held.removed
  if (options.dryRun) {
    await print(session, held)
    say(`${paintAside.yellow('dry run:')} ${grouped(word === 'approve' ? would : 0)} changes would be made`)
    return exits.ok
  }
  if (held.status === 'held') await confirm(`${word} run ${id} of ${held.feed}, ${grouped(would)} changes?`, options)
  const decided = await decideRun(db, id, word, 'cli')
  const run = word === 'approve' ? await follow(session, decided.id) : decided
  await print(session, await getRun(db, id))
  return outcome(session, run)
}

async function print({ db, format }: Session, run: Run): Promise<void> {
  const { runWithSamples } = await import('../feeds/views.ts')
  const details = await runWithSamples(db, run)
  const { samples, failures, problems, problemsTotal } = details
  printOne(format, details, () => {
    const lines = [...table([run], runColumns, true)]
    for (const { detail } of run.reasons)
      lines.push(`${paint.yellow(run.status === 'held' ? 'held' : 'was held')}  ${detail}`)
    if (run.error !== null) lines.push(`${paint.red('failed')}  ${run.error}`)
    const shown = [...samples.created, ...samples.changed, ...samples.removed]
    if (shown.length > 0) lines.push('', ...table(shown, changeColumns))
    if (failures.length > 0) lines.push('', ...table(failures, failureColumns))
    if (problems.length > 0) lines.push('')
    for (const { line, kind, what, reason } of problems.slice(0, 20))
      lines.push(
        `${kind === 'repaired' ? paint.yellow(kind) : paint.red(kind)} line ${line}  ${oneLine(what ?? '')}: ${reason}`,
      )
    if (problemsTotal > 20) lines.push(`  … and ${grouped(problemsTotal - 20)} more`)
    return lines.join('\n')
  })
}

const ago = (at: Date) => lasting(Math.max(0, (Date.now() - at.getTime()) / 1_000))
const statusColours: Record<string, (text: string) => string> = {
  held: paint.yellow,
  failed: paint.red,
  done: paint.green,
  reading: paint.cyan,
  applying: paint.cyan,
}
const coloured = (text: string) => statusColours[text]?.(text) ?? text

const feedColumns: Column<FeedView>[] = [
  { head: 'feed', value: ({ feed }) => feed.name, paint: (text) => paint.bold(text) },
  { head: 'kind', value: ({ feed }) => feed.kind },
  { head: 'last run', value: ({ lastRun }) => lastRun?.id ?? '' },
  { head: 'status', value: ({ lastRun }) => lastRun?.status ?? '', paint: coloured },
  { head: 'ago', value: ({ lastRun }) => (lastRun ? ago(lastRun.at) : '') },
  { head: 'due', value: ({ nextAt }) => nextAt?.toISOString().slice(0, 19).replace('T', ' ') ?? '' },
  { head: 'absent', value: ({ feed }) => feed.absent, wide: true },
  {
    head: 'source',
    value: ({ feed: { source } }) => (source ? ('file' in source ? source.file : source.url) : 'uploads'),
  },
]

const runColumns: Column<Run>[] = [
  { head: 'run', value: ({ id }) => String(id), paint: (text) => paint.bold(text) },
  { head: 'feed', value: ({ feed }) => feed, wide: true },
  { head: 'status', value: ({ status }) => status, paint: coloured },
  { head: 'ago', value: ({ finishedAt, createdAt }) => ago(finishedAt ?? createdAt) },
  ...(['rows', 'created', 'changed', 'removed', 'unchanged', 'refused', 'applied', 'failed'] as const).map(
    (head): Column<Run> => ({ head, value: (run) => run[head] }),
  ),
]

const changeColumns: Column<ShownChange>[] = [
  { head: 'outcome', value: ({ outcome }) => outcome },
  { head: 'key', value: ({ key }) => key, paint: (text) => paint.bold(text) },
  { head: 'line', value: ({ line }) => line ?? '' },
  {
    head: 'what',
    value: ({ changes }) =>
      changes.map(({ field, oldValue, newValue }) => `${field} ${short(oldValue)} → ${short(newValue)}`).join(', '),
  },
]

const failureColumns: Column<ShownChange>[] = [
  { head: 'failed', value: ({ key }) => key, paint: (text) => paint.red(text) },
  { head: 'why', value: ({ error }) => error ?? '' },
]

const short = (value: unknown) => cut(oneLine(typeof value === 'string' ? value : (JSON.stringify(value) ?? '–')), 40)
