import sharp from 'sharp'
import { expect, test } from 'vitest'
import { drawProduct } from './drawing.ts'

test('a SKU has one picture, and another SKU another', async () => {
  const [lamp, again, mug] = await Promise.all(['LAMP-1', 'LAMP-1', 'MUG-1'].map((sku) => drawProduct(sku)))
  expect(lamp).toEqual(again)
  expect(lamp).not.toEqual(mug)
  expect(await sharp(lamp).metadata()).toMatchObject({ format: 'png', width: 800, height: 800 })
})
