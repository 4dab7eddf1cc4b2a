/** Consumers that take a hundred times as long as others: a reaction for each event, a projection for each batch. */
import { setTimeout as pause } from 'node:timers/promises'
import { projection, reaction } from '../../src/engine/consumer.ts'
import type { Service } from '../../src/engine/service.ts'

export const SNAIL_MS = 100

export function snailService(): Pick<Service, 'name' | 'consumers'> {
  const snail = reaction({ name: 'snail', from: 'start', on: { 'note.*': async () => void (await pause(SNAIL_MS)) } })
  const slug = projection({ name: 'slug', on: ['note.*'], apply: async () => void (await pause(10 * SNAIL_MS)) })
  return { name: 'snail', consumers: [snail, slug] }
}
