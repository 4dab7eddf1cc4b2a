/** `npm start`: brings everything up, one step after another, said aloud; then runs until it is told to stop. */
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { pause } from '../engine/deadline.ts'
import type { App } from '../engine/http.ts'
import { announce } from './addresses.ts'
import type { Config } from './config.ts'
import type { Auth } from './http/auth.ts'
import { createMetrics } from './metrics.ts'
import { readiness } from './readiness.ts'
import type { ServiceName } from './services.ts'
import { openSystem, type System } from './system.ts'

export interface ServeOptions {
  config: Config
  version: string
  services: readonly ServiceName[]
  log: Logger
  /** Fires when it shall stop. */
  signal: AbortSignal
  /** Told of each step when it is done, with its duration. */
  onStep(what: string, seconds: number): void
  /** Told of what is not as was asked for. */
  onNote(text: string): void
  /** Told once, when requests are answered and consumers run. */
  onReady(running: Running): void
}

export interface Running {
  /** `http://127.0.0.1:4000` */
  url: string
  loginUrl: string
  /** A product to try things with, if there is one. */
  productId: string | undefined
  system: System
}

/** Ports tried after the one asked for. */
const PORTS_TRIED = 50
/** Requests under way may take so long once it shall stop. */
const DRAIN_MS = 2_500

/** Resolves when the signal fired and everything has come to rest; rejects when it can't start, or can't go on. */
export async function serve(options: ServeOptions): Promise<void> {
  const { config, log, services, signal, onStep } = options
  const http = loadHttp() // while the database starts
  http.catch(() => {})
  const metrics = createMetrics()
  let begun = performance.now()
  const step = (what: string) => {
    onStep(what, (performance.now() - begun) / 1_000)
    begun = performance.now()
  }
  const { applied, committed, turnedAway } = metrics
  const system = await openSystem(config, { log, serve: services, applied, committed, turnedAway, onDatabase: step })
  metrics.follow(system.engine, system.services.storefront)
  system.services.caches.measure(metrics.registry)
  const stopping = new AbortController()
  const stop = AbortSignal.any([signal, stopping.signal])
  let app: App | undefined
  let unannounce: (() => Promise<void>) | undefined
  let work: Promise<unknown>[] = []
  try {
    step(system.serving.length === 1 ? `service ${services[0]}` : `${system.serving.length} services`)
    if (signal.aborted) return
    const demo = await seed(system, step)
    if (signal.aborted) return
    const { auth, server } = await (await http)(options, system, metrics.registry)
    app = server
    const url = await listen(server, config, options.onNote)
    unannounce = await announce(config.dataDirectory, url)
    step(`HTTP at ${url.replace('http://', '')}`)
    work = [
      system.engine.run(stop),
      ...system.serving.map((service) => service.run?.(stop)),
      show(demo?.run(stop), log),
    ].filter((each) => each !== undefined)
    for (const each of work) each.catch(() => stopping.abort()) // what can't go on takes the rest down in order
    await owned(system, stop)
    const productId = await someProduct(system)
    if (!stop.aborted) options.onReady({ url, loginUrl: `${url}/login/${auth.createLogin()}`, productId, system })
    await ended(stop)
  } finally {
    await unannounce?.()
    await drain(app)
    stopping.abort()
    const outcomes = await Promise.allSettled(work)
    await system.close()
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    // biome-ignore lint/correctness/noUnsafeFinally: why it stopped counts more than what happened while it did
    if (failed) throw failed.reason
  }
}

/** The edge and its libraries take a while to load, as the database does to start. */
async function loadHttp() {
  const [{ buildServer, httpDefaults }, { openAuth }, { operationRoutes }, { engineRoutes }, { jwtSecret }] =
    await Promise.all([
      import('./http/server.ts'),
      import('./http/auth.ts'),
      import('./http/operations.ts'),
      import('./http/engine-routes.ts'),
      import('./config.ts'),
    ])
  return async (
    { config, log, version }: ServeOptions,
    system: System,
    metrics: ReturnType<typeof createMetrics>['registry'],
  ) => {
    // Without a key of our own nobody can have a token of ours; the issuer's count then.
    const secret = (await jwtSecret(config)) ?? (await import('node:crypto')).randomBytes(32).toString('base64url')
    const auth: Auth = openAuth({ secret, ...(config.jwt.jwksUrl && { jwksUrl: config.jwt.jwksUrl }) })
    const checks = readiness(system)
    const server = await buildServer({
      settings: { ...httpDefaults, rateLimit: config.rateLimit, handlerTimeoutMs: config.requestTimeoutMs },
      auth,
      log: quiet(log),
      metrics,
      version,
      services: [
        { name: 'operations', routes: operationRoutes({ auth, metrics, version, checks }) },
        { name: 'engine', routes: engineRoutes(system.engine, auth, { faults: config.embedded }) },
        ...system.serving,
      ],
    })
    return { auth, server }
  }
}

/** Fastify tells at `info` what we tell ourselves. */
const quiet = (log: Logger) =>
  log.child({}, { level: log.isLevelEnabled('debug') || !log.isLevelEnabled('warn') ? log.level : 'warn' })

/** Fills an empty shop with the demo; answers what keeps it moving, if this is the demo's shop. */
async function seed(system: System, step: (what: string) => void) {
  const { catalog, inventory, orders, checkout, carts, pricing, customers, collections, media } = system.services
  const needed = [catalog, inventory, orders, checkout, carts, pricing, customers, collections, media]
  if (!system.config.demo || !needed.every((each) => system.serving.includes(each))) return
  const { db } = system.engine
  const shop = { catalog, inventory, orders, checkout, carts, pricing, customers, collections, media, db }
  const [{ Demo }, { isDemo, seedDemo }] = await Promise.all([import('./demo/demo.ts'), import('./demo/seed.ts')])
  if (await seedDemo(shop)) step('demo shop, 60 products')
  else if (!(await isDemo(db))) return
  return new Demo({ shop })
}

/** The show may fail without taking the shop with it. */
const show = (run: Promise<void> | undefined, log: Logger) =>
  run?.catch((error) => log.error({ err: error }, 'the demo stands still'))

/** The port asked for, or the next one that is free. */
async function listen(server: App, { host, port }: Config, onNote: (text: string) => void): Promise<string> {
  await server.ready()
  for (let tried = port; ; tried++) {
    try {
      await server.listen({ host, port: tried })
      break
    } catch (error) {
      if ((error as { code?: string }).code !== 'EADDRINUSE' || tried === port + PORTS_TRIED) throw error
      onNote(`port ${tried} is taken, using ${tried + 1}`)
    }
  }
  const address = server.server.address() as AddressInfo
  const name = host === '0.0.0.0' || host === '::' ? 'localhost' : address.family === 'IPv6' ? `[${host}]` : host
  return `http://${name}:${address.port}`
}

/** Once every consumer has an owner, here or in a process that was there before. */
async function owned({ engine }: System, signal: AbortSignal): Promise<void> {
  const names = engine.runners.map(({ consumer }) => consumer.name)
  for (let tries = 0; tries < 250 && !signal.aborted; tries++) {
    const [row] = await engine.db<{ free: boolean }>`
      select exists (select from lockstep.consumers where name = any(${names}::text[]) and owner is null and not paused) as free`
    if (!row?.free) return
    await pause(10, signal)
  }
}

async function someProduct({ engine }: System): Promise<string | undefined> {
  const [row] = await engine.db<{ id: string }>`
    select id from catalog.products where not deleted and status = 'active' order by id limit 1`
  return row?.id
}

async function ended(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

/** Takes no new requests, lets those under way finish for a while, then ends them. */
async function drain(app: App | undefined): Promise<void> {
  if (!app) return
  const late = setTimeout(() => app.server.closeAllConnections(), DRAIN_MS)
  await app.close().catch(() => {})
  clearTimeout(late)
}
