import { expect, test } from 'vitest'
import { overall, type Status } from './sync-status.ts'

test.each<[Status[], string]>([
  [[], 'completed'],
  [['done', 'done'], 'completed'],
  [['done', 'pending'], 'processing'],
  [['retrying', 'done'], 'processing'],
  [['pending', 'retrying'], 'processing'],
  [['failed', 'done'], 'partial-failure'],
  [['failed', 'pending'], 'partial-failure'],
  [['failed', 'failed'], 'partial-failure'],
])('consumers that are %j make it %s', (statuses, expected) => {
  expect(overall(statuses)).toBe(expected)
})
