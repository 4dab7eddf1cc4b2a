/** What teams test their own consumers and sources with: an engine on a database of its own, stepped by hand. */
import { pino } from 'pino'
import { Engine, type EngineOptions } from './engine/engine.ts'
import type { Service } from './engine/service.ts'

export interface TestEngine extends Engine {
  /** Stops what runs and closes the connections; the database stays. */
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * An engine with the services installed. Nothing runs by itself: `await engine.settle()` steps all consumers until they are past the log's end.
 * Retries are immediate unless the options say otherwise.
 */
export async function testEngine<Services extends Pick<Service, 'name' | 'schema' | 'consumers'>[]>(
  url: string,
  make: (engine: Engine) => Services,
  options: Partial<EngineOptions> = {},
): Promise<{ engine: TestEngine; services: Services }> {
  const engine = new Engine({
    url,
    log: pino({ level: 'silent' }),
    retry: { firstMs: 0, maxMs: 0 },
    ...options,
  }) as TestEngine
  const services = make(engine)
  await engine.install(services)
  engine[Symbol.asyncDispose] = () => engine.close()
  return { engine, services }
}
