/** The system on its database: what `serve` and every command open, use and close. */
import { join } from 'node:path'
import type { Logger } from 'pino'
import { Engine, type EngineOptions } from '../engine/engine.ts'
import type { App } from '../engine/http.ts'
import type { Service } from '../engine/service.ts'
import type { Config } from './config.ts'
import { Disk } from './disk.ts'
import { makeFolder } from './folder.ts'
import type { EmbeddedPostgres } from './postgres.ts'
import { type ServiceName, type Services, serviceNames, wire } from './services.ts'

export interface SystemOptions {
  log: Logger
  /** Whose consumers this process may run; none for a command, which leaves the work to those who serve. */
  serve?: readonly ServiceName[]
  applied?: EngineOptions['applied']
  committed?: EngineOptions['committed']
  turnedAway?: EngineOptions['turnedAway']
  /** Told when the database is there, with what it is. */
  onDatabase?: (name: string) => void
}

export interface System {
  config: Config
  engine: Engine
  /** All of them, whoever runs their consumers. */
  services: Services
  /** Those that this process serves. */
  serving: Service<App>[]
  postgres?: EmbeddedPostgres
  /** The embedded server's. */
  disk?: Disk
  /** Lets what is under way finish, ends every connection, and stops the embedded server unless somebody else uses it. */
  close(): Promise<void>
}

/** Starts or adopts the embedded server, or uses DATABASE_URL; applies the schemas. Throws plain advice when there is no database. */
export async function openSystem(config: Config, options: SystemOptions): Promise<System> {
  const postgres = await openPostgres(config, options.log)
  const url = postgres?.url ?? config.databaseUrl ?? ''
  const { log, applied, committed, turnedAway, serve = [] } = options
  const disk = postgres && new Disk(config.dataDirectory)
  const shortage = disk && (() => disk.shortage())
  const engine = new Engine({ url, log, ...config.engine, applied, committed, turnedAway, shortage })
  let services: Services | undefined
  const close = async () => {
    await services?.caches.close()
    await engine.close()
    await postgres?.close()
  }
  try {
    options.onDatabase?.(await describe(engine, postgres))
    services = wire(engine, config)
    const all = services
    const serving = serve.map((name): Service<App> => all[name])
    await engine.install(await installable(engine, services, serving))
    return { config, engine, services, serving, ...(postgres && { postgres, disk }), close }
  } catch (error) {
    await close().catch(() => {})
    throw error
  }
}

async function openPostgres(config: Config, log: Logger): Promise<EmbeddedPostgres | undefined> {
  if (!config.embedded) return undefined
  await makeFolder(config.dataDirectory)
  const { openEmbeddedPostgres } = await import('./postgres.ts')
  // That it comes up is said by whoever opens it; what it says later, such as that it had to be started again, nobody expects.
  let open = false
  const directory = join(config.dataDirectory, 'postgres')
  const postgres = await openEmbeddedPostgres({ directory, log: (line) => log[open ? 'warn' : 'debug'](line) })
  open = true
  return postgres
}

async function describe({ db }: Engine, postgres: EmbeddedPostgres | undefined): Promise<string> {
  const [row] = await db<{ version: number }>`select current_setting('server_version_num')::int / 10000 as version`
  return `Postgres ${row?.version}${postgres ? ` (embedded${postgres.adopted ? ', already running' : ''})` : ''}`
}

/**
 * Every schema, but the consumers of those served alone: one that nobody runs would be waited for. In a database that nobody served yet
 * a command makes all consumers known, so that none misses what it writes.
 */
async function installable(engine: Engine, services: Services, serving: Service<App>[]) {
  const all: Service<App>[] = serviceNames.map((name) => services[name])
  const untouched = serving.length === 0 && (await isUntouched(engine))
  return all.map((service) => ({
    name: service.name,
    ...(service.schema && { schema: service.schema }),
    consumers: untouched || serving.includes(service) ? (service.consumers ?? []) : [],
  }))
}

async function isUntouched({ db }: Engine): Promise<boolean> {
  const [row] = await db<{ made: boolean }>`select to_regclass('lockstep.consumers') is not null as made`
  if (!row?.made) return true
  const [known] = await db<{ any: boolean }>`select exists (select from lockstep.consumers) as any`
  return !known?.any
}
