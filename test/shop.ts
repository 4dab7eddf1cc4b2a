/** The whole shop in this process, on a database of its own, with its HTTP side to call: every service as the program wires it. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { Registry } from 'prom-client'
import { readConfig } from '../src/app/config.ts'
import { openAuth, type Role } from '../src/app/http/auth.ts'
import { engineRoutes } from '../src/app/http/engine-routes.ts'
import { operationRoutes } from '../src/app/http/operations.ts'
import { buildServer, httpDefaults } from '../src/app/http/server.ts'
import { type Services, serviceNames, wire } from '../src/app/services.ts'
import { Engine } from '../src/engine/engine.ts'
import type { App } from '../src/engine/http.ts'
import type { Service } from '../src/engine/service.ts'

export interface TestShop extends AsyncDisposable {
  app: App
  engine: Engine
  services: Services
  /** Headers of a caller with this role. */
  as(role: Role): Promise<Record<string, string>>
  /** Every log line so far, as text. */
  logged(): string
}

/** Consumers run; close it by `await using`. */
export async function openTestShop(url: string, settings: Record<string, string> = {}): Promise<TestShop> {
  const lines: string[] = []
  const log = pino({ level: 'info' }, { write: (line: string) => void lines.push(line) })
  const directory = await mkdtemp(join(tmpdir(), 'lockstep-shop-'))
  const usual = { DATABASE_URL: url, LOCKSTEP_DATA: directory, LOCKSTEP_JWT_SECRET: 'x'.repeat(32) }
  const config = readConfig({ ...usual, ...settings })
  const engine = new Engine({ url, log, ...config.engine })
  const services = wire(engine, config)
  const all = serviceNames.map((name): Service<App> => services[name])
  await engine.install(all)
  const auth = openAuth({ secret: 'x'.repeat(32) })
  const metrics = new Registry()
  const app = await buildServer({
    settings: httpDefaults,
    auth,
    log,
    metrics,
    version: '0.0.0',
    services: [
      { name: 'operations', routes: operationRoutes({ auth, metrics, version: '0.0.0', checks: {} }) },
      { name: 'engine', routes: engineRoutes(engine, auth, { faults: true }) },
      ...all,
    ],
  })
  const stop = new AbortController()
  const running = Promise.all([engine.run(stop.signal), ...all.map((service) => service.run?.(stop.signal))])
  running.catch(() => {})
  return {
    app,
    engine,
    services,
    as: async (role) => ({
      authorization: `Bearer ${await auth.issueToken({ role, subject: 'test', ttlSeconds: 600 })}`,
    }),
    logged: () => lines.join(''),
    async [Symbol.asyncDispose]() {
      await app.close()
      stop.abort()
      await running
      await engine.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
