/** Counts customers and their consents. Nothing personal is kept, nor who they are: a consent is known by a digest of the id. */
import { createHash } from 'node:crypto'
import type { LoggedEvent } from '../../engine/event.ts'
import type { Customer } from '../customers/events.ts'
import type { Additions } from './additions.ts'
import type { World } from './world.ts'

export const digestOf = (customerId: string) => createHash('sha256').update(customerId).digest('hex')

export function countCustomer({ type, at, data }: LoggedEvent, world: World, additions: Additions): void {
  const customer = data.customer as Customer
  if (type === 'customer.created') additions.add(at, 'customers', 'all', '', 1)
  if (type === 'customer.erased') additions.add(at, 'customers', 'all', '', -1)
  if (type === 'customer.updated') return
  const digest = digestOf(customer.id)
  const before = world.consents.get(digest) ?? none
  const { consents } = customer.preferences
  const now = new Set(Object.keys(consents).filter((purpose) => consents[purpose]?.granted))
  for (const purpose of now) if (!before.has(purpose)) additions.add(at, 'consents', 'purpose', purpose, 1)
  for (const purpose of before) if (!now.has(purpose)) additions.add(at, 'consents', 'purpose', purpose, -1)
  if (now.size === 0 && before.size === 0) return
  world.consents.set(digest, now)
  world.changed.consents.add(digest)
}

const none: ReadonlySet<string> = new Set()
