/** Document A, section 4, where inventory makes no items by itself: SKUs must be known to it. */
import { expect, test } from 'vitest'
import { openStory, variant } from './scenario-a.ts'

test('§4 a SKU that inventory does not know fails for that product alone, by name, where items are not made by themselves', async () => {
  await using story = await openStory({ INVENTORY_AUTO_CREATE_ON_PRODUCT_CREATION: 'false' })
  await story.product('bowl')
  await story.change('bowl', { variants: [variant('bowl-1'), variant('bowl-2')] })
  await story.until(async () => (await story.get('/products/bowl/sync-status?detail=true')).body, {
    overallStatus: 'partial-failure',
    services: { inventory: 'failed', search: 'done', seo: 'done', pricing: 'done', collections: 'done' },
    detail: { inventory: { error: expect.stringContaining('SKU not found: bowl-1') } },
  })
})
