import { expect, test, vi } from 'vitest'
import { Remembered } from './remembered.ts'

const euros = (amount: number) => ({ amount, currency: 'EUR' })

test('a price is read once for all who ask within a moment, until it is told to have changed', async () => {
  let now = 100
  const asked: string[][] = []
  const prices = new Remembered(async (skus) => {
    asked.push(skus)
    return new Map(skus.filter((sku) => sku !== 'free').map((sku) => [sku, euros(now)]))
  })
  expect(await prices.of(['a', 'free'])).toEqual(new Map([['a', euros(100)]]))
  now = 200
  expect(await prices.of(['a'])).toEqual(new Map([['a', euros(100)]]))
  prices.forget()
  expect(await prices.of(['a'])).toEqual(new Map([['a', euros(200)]]))
  expect(asked).toEqual([['a', 'free'], ['a']])
})

test('what was being read while the price changed is not kept', async () => {
  let answer: (price: number) => void = () => {}
  const prices = new Remembered<ReturnType<typeof euros>>(
    ([sku = '']) => new Promise((resolve) => (answer = (amount) => resolve(new Map([[sku, euros(amount)]])))),
  )
  const slow = prices.of(['a'])
  prices.forget()
  answer(100)
  expect(await slow).toEqual(new Map([['a', euros(100)]]))
  const next = prices.of(['a'])
  answer(200)
  expect(await next).toEqual(new Map([['a', euros(200)]]))
})

test('what nobody tells of, as another process would not, is remembered for a tenth of a second', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    let now = 100
    const prices = new Remembered(async (skus) => new Map(skus.map((sku) => [sku, euros(now)])))
    await prices.of(['a'])
    now = 200
    vi.advanceTimersByTime(99)
    expect(await prices.of(['a'])).toEqual(new Map([['a', euros(100)]]))
    vi.advanceTimersByTime(1)
    expect(await prices.of(['a'])).toEqual(new Map([['a', euros(200)]]))
  } finally {
    vi.useRealTimers()
  }
})
