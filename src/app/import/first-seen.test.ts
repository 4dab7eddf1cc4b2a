import { expect, test } from 'vitest'
import { FirstSeen } from './first-seen.ts'

test('each of 100,000 names keeps its own first line', () => {
  const seen = new FirstSeen()
  for (let n = 1; n <= 100_000; n++) expect(seen.at(`SKU-${n}`, n)).toBeUndefined()
  for (let n = 1; n <= 100_000; n += 997) expect(seen.at(`SKU-${n}`, 200_000)).toBe(n)
})
