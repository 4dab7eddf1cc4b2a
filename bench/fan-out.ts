/** 20,000 durable updates of 5,000 products with a 500-byte payload, followed by six consumers, until all have caught up. */
import { listConsumers } from '../src/engine/consumers.ts'
import { bench, seconds } from './bench.ts'
import { itemService, items } from './items.ts'

const UPDATES = 20_000
const PRODUCTS = 5_000

await bench('fan-out', async ({ engine: open }) => {
  const engine = open()
  await engine.install([itemService])
  const executor = engine.executor(items)
  const stop = new AbortController()
  const running = engine.run(stop.signal)
  const payload = 'x'.repeat(500)
  const update = (n: number) => executor.execute({ id: `p${n % PRODUCTS}`, payload })
  const caughtUp = async () => {
    while ((await listConsumers(engine.db)).some((consumer) => consumer.lagEvents > 0))
      await new Promise((resolve) => setTimeout(resolve, 2))
  }
  await Promise.all(Array.from({ length: PRODUCTS }, (_, n) => update(n)))
  await caughtUp()
  let committed = 0
  const took = await seconds(async () => {
    committed = await seconds(() => Promise.all(Array.from({ length: UPDATES }, (_, n) => update(n))))
    await caughtUp()
  })
  stop.abort()
  await running
  await engine.close()
  const perSecond = Math.round(UPDATES / took)
  return {
    line: `${perSecond.toLocaleString('en')} updates/s until six consumers had caught up (commits alone ${Math.round(UPDATES / committed).toLocaleString('en')}/s)`,
    figures: { perSecond, commitsPerSecond: Math.round(UPDATES / committed) },
    goals: { 'at least 12,000 updates/s': perSecond >= 12_000 },
  }
})
