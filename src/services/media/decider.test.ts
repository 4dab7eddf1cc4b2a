import { expect, test } from 'vitest'
import { specification } from '../../engine/decider-testing.ts'
import { mediaDecider } from './decider.ts'
import { mediaEvents, type ProductMedia } from './events.ts'

const { given } = specification(mediaDecider)
const image = (source: string, hash: string): ProductMedia => ({
  source,
  asset: {
    hash,
    kind: 'image',
    url: `/media/${hash}`,
    contentType: 'image/png',
    bytes: 10,
    width: 8,
    height: 6,
    renditions: [
      { name: 'thumb', url: `/media/${hash}/thumb`, width: 8, height: 6, bytes: { avif: 1, webp: 2, jpeg: 3 } },
    ],
  },
})
const tell = (stamp: number, ...media: ProductMedia[]) => ({ type: 'tell', productId: 'p', stamp, media }) as const

test('what became of a product’s media is told with all of it and what changed', () => {
  const { events } = given().when(tell(1, image('https://x.test/a.png', 'aa')))
  expect(events).toMatchObject([
    {
      type: 'media.updated',
      key: 'p',
      entity: 'media/p',
      version: 1,
      data: {
        changes: [
          { field: 'media', oldValue: [], newValue: ['https://x.test/a.png'] },
          { field: 'media.https://x.test/a.png', oldValue: null, newValue: 'aa' },
        ],
      },
    },
  ])
  expect(mediaEvents['media.updated'].parse(events[0]?.data)).toEqual(events[0]?.data)
})

test('the same media seen again are no event', () => {
  const again = given()
    .when(tell(1, image('a', 'aa')))
    .when(tell(2, image('a', 'aa')))
  expect(again.events).toEqual([])
  expect(again.states.get('media/p')).toMatchObject({ version: 1, state: { stamp: 2 } })
})

test('who has seen less changes nothing', () => {
  const told = given().when(tell(5, image('a', 'new')))
  told.when(tell(4, image('a', 'old'))).then()
  told.when(tell(5, image('a', 'old'))).then()
})

test('a product without media that never had any is not told of, and one that loses its last is', () => {
  given().when(tell(1)).then()
  const { events } = given()
    .when(tell(1, image('a', 'aa')))
    .when(tell(2))
  expect(events).toMatchObject([{ version: 2, data: { media: [] } }])
})

test('a new order alone is a change of the list, and no change of what is in it', () => {
  const [a, b] = [image('a', 'aa'), image('b', 'bb')]
  const { events } = given()
    .when(tell(1, a, b))
    .when(tell(2, b, a))
  expect(events[0]?.data.changes).toEqual([{ field: 'media', oldValue: ['a', 'b'], newValue: ['b', 'a'] }])
})

test('what could not be had is told with its reason', () => {
  const failed = { source: 'a', failure: 'HTTP 404' }
  const { events } = given().when(tell(1, failed))
  expect(events[0]?.data.media).toEqual([failed])
  expect(mediaEvents['media.updated'].parse(events[0]?.data)).toBeDefined()
})
