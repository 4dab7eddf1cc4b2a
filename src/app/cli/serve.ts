/** `lockstep serve`: the steps as they are done, one box when all is up, and a clean end. */
import { resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { Command } from 'commander'
import type { Logger } from 'pino'
import { nearest } from '../../services/search/spelling.ts'
import { paintAside as paint } from '../colours.ts'
import type { Running } from '../serve.ts'
import type { ServiceName } from '../services.ts'
import { box } from './box.ts'
import { exits, explainFailure, Failure } from './failure.ts'
import { examples } from './help.ts'
import { say } from './output.ts'
import { interruptible } from './session.ts'
import { version } from './version.ts'

/** From the signal to the end of the process, at most. */
const STOP_MS = 4_800
/** How much the heap may grow over what it needs before it is collected, in percent; V8's own choice is up to three times as much. */
const HEAP_GROWTH = 100

export function serveCommand(): Command {
  const command = new Command('serve')
    .description('bring everything up on an embedded Postgres, or on DATABASE_URL; with names, only these services')
    .argument('[services...]', 'services to run; all without a name')
    .option('-p, --port <port>', 'where to answer, as PORT; the next one that is free when it is taken')
    .action((services: string[]) => {
      const { port } = command.opts<{ port?: string }>()
      if (port !== undefined) process.env.PORT = port
      return run(services, command.optsWithGlobals<{ debug?: boolean }>().debug ?? false)
    })
  return examples(
    command,
    'lockstep serve',
    'lockstep serve inventory search',
    'PORT=8080 LOCKSTEP_DEMO=off lockstep serve',
  )
}

async function run(given: string[], debug: boolean): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH}`)
  const { readConfig } = await import('../config.ts')
  const config = readConfig(process.env)
  const [{ pino }, { serviceNames }, { serve }, { lines }, { watchEventLoop }] = await Promise.all([
    import('pino'),
    import('../services.ts'),
    import('../serve.ts'),
    import('./log-lines.ts'),
    import('../watchdog.ts'),
  ])
  const services = chosen(given, serviceNames)
  const log = pino({ level: config.logLevel }, lines())
  const { signal, release } = interruptible()
  const stop = new AbortController()
  signal.addEventListener('abort', () => {
    say(paint.dim('\nstopping; once more Ctrl-C ends it at once'))
    setTimeout(() => process.exit(exits.failed), STOP_MS).unref()
  })
  surviveNothing(log, stop)
  const unwatch = watchEventLoop()
  try {
    say(`${paint.bold('lockstep')} ${version()}\n`)
    await serve({
      config,
      version: version(),
      services,
      log,
      signal: AbortSignal.any([signal, stop.signal]),
      onStep: (what, seconds) => say(`${paint.green('✓')} ${what.padEnd(40)} ${paint.dim(`${seconds.toFixed(1)} s`)}`),
      onNote: (text) => say(`${paint.yellow('!')} ${text}`),
      onReady: (running) => say(`\n${welcome(running, services.length === serviceNames.length)}\n`),
    })
    process.exitCode = stop.signal.aborted ? exits.failed : exits.ok
    if (signal.aborted) say(`${paint.green('✓')} stopped; the data is in ${where(config)}`)
  } catch (error) {
    process.exitCode = await explainFailure(error, debug)
  } finally {
    release()
    await unwatch()
    // All is closed; a socket that somebody forgot must not keep a stopped server alive.
    setTimeout(() => process.exit(), 500).unref()
  }
}

const where = (config: { embedded: boolean; dataDirectory: string }) =>
  config.embedded ? config.dataDirectory : 'the database'

function chosen(given: string[], all: readonly ServiceName[]): ServiceName[] {
  if (given.length === 0) return [...all]
  for (const name of given) {
    if (all.includes(name as ServiceName)) continue
    const [meant] = nearest(name, [...all])
    const next = meant ? `did you mean ${meant}?` : `there are ${all.join(', ')}`
    throw new Failure(exits.usage, `there is no service ${name}`, next)
  }
  return all.filter((name) => given.includes(name))
}

/** After an error that nobody caught nothing can be trusted: it is logged, everything is closed in order, and the exit code says so. */
function surviveNothing(log: Logger, stop: AbortController): void {
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      log.fatal({ err: error }, `${event}: this is a bug; stopping`)
      if (stop.signal.aborted) process.exit(exits.failed)
      process.exitCode = exits.failed
      setTimeout(() => process.exit(exits.failed), STOP_MS).unref()
      stop.abort()
    })
  }
}

function welcome({ url, loginUrl, productId, system }: Running, whole: boolean): string {
  const { embedded, dataDirectory, notifications } = system.config
  const tries = [
    ['npx lockstep status', 'how far everybody is'],
    ...(productId
      ? [
          [`npx lockstep explain ${productId}`, 'the story of one product'],
          ['npx lockstep events tail', 'what happens right now'],
        ]
      : [['npx lockstep import products.csv', 'your catalogue']]),
    ['npx lockstep --help', 'everything else'],
  ].map(([what = '', why = '']) => `  ${paint.cyan(what.padEnd(40))} ${paint.dim(why)}`)
  const field = (name: string, value: string, note = '') => `${paint.dim(name.padEnd(9))} ${value}  ${paint.dim(note)}`
  return box(
    whole ? 'Lockstep is running' : some(system.serving.map(({ name }) => name)),
    `${(performance.now() / 1_000).toFixed(1)} s`,
    [
      field('log in', loginUrl),
      field('', '', 'works once, for ten minutes; `npx lockstep login` gives another'),
      ...(whole ? [field('shop', `${url}/shop`)] : []),
      field('API', `${url}/docs`),
      field('data', embedded ? dataDirectory : 'DATABASE_URL'),
      ...(notifications.smtpUrl === undefined ? [field('mail', 'stays in the outbox', 'SMTP_URL is not set')] : []),
      '',
      'Try, in another terminal:',
      ...sameDatabase(system.config),
      ...tries,
      '',
      ...(productId && embedded ? breaking(url, productId) : []),
      paint.dim('Ctrl-C stops everything; the data stays.'),
    ],
  )
}

/** The command line elsewhere is to find this database, not to begin one of its own in `.lockstep`. A URL holds a password: it is not shown. */
export function sameDatabase({ embedded, dataDirectory }: { embedded: boolean; dataDirectory: string }): string[] {
  if (!embedded) return [paint.dim('  with the same DATABASE_URL and LOCKSTEP_JWT_SECRET')]
  if (dataDirectory === resolve('.lockstep')) return []
  return [`  ${paint.cyan(`export LOCKSTEP_DATA='${dataDirectory.replaceAll("'", `'\\''`)}'`)}`]
}

const some = (names: string[]) =>
  names.length === 1 ? `${names[0]} is running` : `${names.slice(0, -1).join(', ')} and ${names.at(-1)} are running`

/** Break a consumer, see who has the change and who has not, mend it. */
const breaking = (url: string, productId: string) => [
  'Break search for one product, see who has its change, and mend it:',
  ...[
    `TOKEN=$(npx lockstep token --role ADMIN) U=${url}/v1`,
    'call() { curl -sH "authorization: Bearer $TOKEN" -H content-type:application/json "$@"; }',
    `call $U/consumers/search/faults -d '{"keys":["${productId}"]}'`,
    `call $U/products/${productId} -X PATCH -d '{"title":"Another title"}'`,
    `npx lockstep status ${productId}`,
    'call $U/consumers/search/faults -X DELETE',
    'npx lockstep dead-letters retry --all-matching --yes',
  ].map((line) => `  ${paint.cyan(line)}`),
  '',
]
