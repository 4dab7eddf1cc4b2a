import { expect, test } from 'vitest'
import { asking, compared } from './asking.ts'
import type { Answer, PaymentProvider } from './provider.ts'

const approved = { outcome: 'approved', payment: 'p', amount: 5, currency: 'EUR' } as const

test.each([
  ['the same', { amount: 5, currency: 'EUR' }, approved, 'approved'],
  ['another amount', { amount: 4, currency: 'EUR' }, approved, 'wrong'],
  ['another currency', { amount: 5, currency: 'USD' }, approved, 'wrong'],
  ['nothing to compare with', {}, approved, 'approved'],
  ['a refusal', { amount: 5, currency: 'EUR' }, { outcome: 'declined', reason: 'no' }, 'declined'],
  ['an answer nobody can read', {}, { outcome: 'maybe' } as unknown as Answer, 'unknown'],
  ['no answer', {}, undefined as unknown as Answer, 'unknown'],
] as const)('%s counts as it should', (_, asked, answer, outcome) => {
  expect(compared(asked, answer).outcome).toBe(outcome)
})

test('an exception leaves it unknown, and says why', async () => {
  const broken = { authorise: () => Promise.reject(new Error('socket hang up')) } as unknown as PaymentProvider
  const outcome = await asking(broken, 1_000).authorise({ key: 'k', token: 't', amount: 5, currency: 'EUR' })
  expect(outcome).toEqual({ outcome: 'unknown', reason: 'socket hang up' })
})

test('no answer in time leaves it unknown, and the provider is told that nobody waits', async () => {
  let told = false
  const silent = {
    capture: ({ signal }: { signal?: AbortSignal }) =>
      new Promise<never>(() => signal?.addEventListener('abort', () => (told = true))),
  } as unknown as PaymentProvider
  const outcome = await asking(silent, 10).capture({ key: 'k', payment: 'p', amount: 5, currency: 'EUR' })
  expect(outcome).toMatchObject({ outcome: 'unknown' })
  expect(told).toBe(true)
})
