/** Waiting instead of sleeping: every write answers with a sync token, and a reader waits until a consumer has that version. */
import { parseSyncToken, syncToken, waitForSync } from '../src/index.ts'
import { shelf } from './shelf.ts'
import { openShop } from './shop.ts'

await using shop = await openShop(shelf)
const { engine } = shop
const stop = new AbortController()
const running = engine.run(stop.signal) // as in production: the consumers run by themselves

const { versions } = await shop.put('lamp', 'Oak lamp')
const token = syncToken('product/lamp', versions['product/lamp'] ?? 0)
console.log('written as', token)

const at = parseSyncToken(token)
const options = { at, consumers: ['shelf'], waitMs: 5_000, signal: stop.signal }
const { consumers } = await waitForSync(engine.db, 'lamp', options)
console.log('shelf is', consumers.find(({ consumer }) => consumer === 'shelf')?.status)

const [row] = await engine.db<{ title: string }>`select title from shelf where product_id = 'lamp'`
console.log('and reads', row?.title)

// A version that is not there yet: the wait ends with its time, and says who is missing.
stop.abort()
await running
await shop.put('lamp', 'Oak lamp, large')
const late = await waitForSync(engine.db, 'lamp', { waitMs: 50, signal: new AbortController().signal })
console.log(late.overallStatus, late.consumers.map(({ consumer, status }) => `${consumer}: ${status}`).join(', '))

/* Prints:
written as product/lamp@1
shelf is done
and reads Oak lamp
processing catalog: done, shelf: pending
*/
