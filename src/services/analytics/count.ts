/** Counts events in the order of the log. Pure: the same events give the same counts, however they are cut into batches. */
import type { LoggedEvent } from '../../engine/event.ts'
import type { Product } from '../catalog/events.ts'
import type { Additions } from './additions.ts'
import { countCustomer } from './count-customers.ts'
import { countOrder } from './count-sales.ts'
import { countStock, moveVendor } from './count-stock.ts'
import type { World } from './world.ts'

/** Answers the events that could not be read; those are counted as unreadable and otherwise passed over. */
export function count(events: readonly LoggedEvent[], world: World, additions: Additions): Unreadable[] {
  const unreadable: Unreadable[] = []
  for (const event of events) {
    additions.add(event.at, 'events', 'type', event.type, 1)
    try {
      countOne(event, world, additions)
    } catch (error) {
      additions.add(event.at, 'unreadable events', 'type', event.type, 1)
      unreadable.push({ event, error })
    }
  }
  return unreadable
}

export interface Unreadable {
  event: LoggedEvent
  error: unknown
}

function countOne(event: LoggedEvent, world: World, additions: Additions): void {
  if (event.type.startsWith('product.')) countProduct(event, world, additions)
  else if (event.type.startsWith('stock.')) countStock(event, world, additions)
  else if (event.type.startsWith('order.')) countOrder(event, world, additions)
  else if (event.type.startsWith('customer.')) countCustomer(event, world, additions)
}

function countProduct({ type, at, data }: LoggedEvent, world: World, additions: Additions): void {
  const { id, title, category, vendorId, status } = data.product as Product
  const before = world.products.get(id)
  const live = status === 'active' && type !== 'product.deleted'
  if (live !== (before?.live ?? false)) additions.add(at, 'live products', 'all', '', live ? 1 : -1)
  if ((before?.vendorId ?? null) !== vendorId)
    moveVendor(at, id, before?.vendorId ?? '', vendorId ?? '', world, additions)
  if (before?.title === title && before.category === category && before.vendorId === vendorId && before.live === live)
    return
  world.products.set(id, { title, category, vendorId, live })
  world.changed.products.add(id)
}
