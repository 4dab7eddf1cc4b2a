/** A Redis of its own for a test file, gone at its end. */
import { afterAll } from 'vitest'
import { type RedisServer, startRedisServer } from './redis-server.ts'

export type TestRedis = RedisServer

export async function startRedis(...settings: string[]): Promise<TestRedis> {
  const server = await startRedisServer(...settings)
  cleanUps.push(server.close)
  return server
}

const cleanUps: (() => Promise<void>)[] = []

afterAll(async () => {
  for (const close of cleanUps.splice(0)) await close()
})
