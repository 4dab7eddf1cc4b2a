import { expect, test } from 'vitest'
import { z } from 'zod'
import { wording } from './wording.ts'

test.each<[z.ZodType, unknown, string]>([
  [z.string(), 5, 'must be text'],
  [z.string(), undefined, 'is missing'],
  [z.int(), 1.5, 'must be a whole number'],
  [z.int(), '1', 'must be a number'],
  [z.array(z.string()), 'a', 'must be a list'],
  [z.record(z.string(), z.string()), [], 'must be an object'],
  [z.number().min(0), -1, 'must be at least 0'],
  [z.number().lt(5), 5, 'must be less than 5'],
  [z.string().min(2), 'a', 'must have at least 2 characters'],
  [z.array(z.int()).max(1), [1, 2], 'must have at most 1 entry'],
  [z.enum(['active', 'draft']), 'gone', 'must be one of "active", "draft"'],
  [z.literal(true), false, 'must be true'],
  [z.iso.datetime(), 'today', 'must be a time such as 2026-12-01T08:00:00Z'],
  [z.email(), 'me', 'must be an e-mail address'],
  [z.union([z.string(), z.boolean()]), 1, 'is nothing that can stand here'],
  [z.union([z.string(), z.boolean()]), undefined, 'is missing'],
  [z.strictObject({}), { a: 1 }, 'has fields that do not belong there: a'],
])('%# what is wrong is said in words that follow the field’s name', (schema, input, expected) => {
  const { error } = schema.safeParse(input, { error: wording })
  expect(error?.issues.map(({ message }) => message)).toEqual([expected])
})
