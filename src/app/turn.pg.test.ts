import { expect, test } from 'vitest'
import { createTestDatabase } from '../../test/database.ts'
import { openDatabase } from '../engine/database.ts'
import { Turn } from './turn.ts'

test('a turn is one process’s at a time, keeps being its, and passes on when it leaves or its session is ended', async () => {
  const { url } = await createTestDatabase()
  const [here, there] = [openDatabase(url, { name: 'here' }), openDatabase(url, { name: 'there' })]
  const [one, other, unrelated] = [new Turn(here, 'show'), new Turn(there, 'show'), new Turn(there, 'another')]
  expect([await one.mine(), await other.mine(), await one.mine(), await unrelated.mine()]).toEqual([
    true,
    false,
    true,
    true,
  ])
  one.leave()
  await expect.poll(() => other.mine()).toBe(true)
  expect(await one.mine()).toBe(false)
  await here`select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'there'`
  expect(await one.mine()).toBe(true)
  expect(await other.mine()).toBe(false)
  one.leave()
  unrelated.leave()
  await Promise.all([here.close(), there.close()])
})
