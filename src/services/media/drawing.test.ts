import sharp from 'sharp'
import { expect, test } from 'vitest'
import { drawProduct, thingOf } from './drawing.ts'

test('a SKU has one picture, and another SKU another', async () => {
  const [lamp, again, mug] = await Promise.all(['LAMP-1', 'LAMP-1', 'MUG-1'].map((sku) => drawProduct(sku)))
  expect(lamp).toEqual(again)
  expect(lamp).not.toEqual(mug)
  expect(await sharp(lamp).metadata()).toMatchObject({ format: 'png', width: 800, height: 800 })
})

test.each([
  ['Reading Lamp', 'lamp'],
  ['String Lights', 'lamp'],
  ['Brass Candle Holder', 'candle'],
  ['Carbon Steel Pan, new edition', 'pan'],
  ['Bike Pannier', 'bag'],
  ['Lamp Bag', 'bag'],
  ['Salt Pig', 'parcel'],
  ['Constructor', 'parcel'],
  ['', 'parcel'],
])('of %j the picture is a %s', (title, thing) => {
  expect(thingOf(title)).toBe(thing)
})
