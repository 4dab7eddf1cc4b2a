/** How to test a consumer of your own: real Postgres, no timers, no sleeps, and failures on purpose. */
import assert from 'node:assert/strict'
import { syncStatus } from '../src/index.ts'
import { normalProduct } from '../src/services/catalog/product.ts'
import { catalogService } from '../src/services/catalog/service.ts'
import { testEngine } from '../src/testing.ts'
import { scratchDatabase } from './scratch.ts'
import { shelf } from './shelf.ts'

await using database = await scratchDatabase()
const opened = await testEngine(database.url, (engine) => [catalogService(engine), shelf] as const)
await using engine = opened.engine
const [catalog] = opened.services

const put = (title: string) =>
  catalog.execute({
    type: 'put',
    product: normalProduct({
      id: 'lamp',
      title,
      variants: [{ sku: 'L-1', price: { amount: 4_900, currency: 'EUR' } }],
    }),
  })
const titles = async () => (await engine.db<{ title: string }>`select title from shelf`).map(({ title }) => title)

await put('Oak lamp')
assert.deepEqual(await titles(), []) // nothing runs by itself
await engine.settle() // steps every consumer until all are past the log's end
assert.deepEqual(await titles(), ['Oak lamp'])
console.log('it follows')

// A version that comes again, as after a crash, changes nothing.
const events = (await engine.tail.read(0, 10)).filter(({ type }) => type.startsWith('product.'))
await put('Oak lamp, small')
await engine.settle()
await engine.db.begin((tx) => shelf.consumers[0]?.apply(events, tx) ?? Promise.resolve())
assert.deepEqual(await titles(), ['Oak lamp, small'])
console.log('it never goes back')

// It fails twice on purpose, and gets over it.
engine.faults.set('shelf', { keys: ['lamp'], mode: 'throw', error: 'on purpose', times: 2 })
await put('Oak lamp, large')
await engine.settle()
assert.deepEqual(await titles(), ['Oak lamp, large'])
assert.equal((await syncStatus(engine.db, 'lamp')).overallStatus, 'completed')
console.log('it recovers')

/* Prints:
it follows
it never goes back
it recovers
*/
