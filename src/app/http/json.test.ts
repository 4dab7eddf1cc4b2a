import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Rejected } from '../../engine/decider.ts'
import { readJson } from './json.ts'

const read = (text: string) => readJson(Buffer.from(text))

function refusal(text: string | Buffer): { field: string; message: string } {
  try {
    readJson(typeof text === 'string' ? Buffer.from(text) : text)
  } catch (error) {
    if (error instanceof Rejected) return error.detail.errors[0]
    throw error
  }
  throw new Error(`accepted: ${text.toString().slice(0, 100)}`)
}

test('what JSON.stringify writes is read back as it was', () => {
  const value = fc
    .jsonValue({ maxDepth: 8 })
    .filter((each) => !/__proto__|"prototype"|-0|\\u[0d]|\d{17}|e[+-]/i.test(JSON.stringify(each)))
  fc.assert(
    fc.property(value, (each) => {
      expect(read(JSON.stringify(each, null, 1))).toEqual(JSON.parse(JSON.stringify(each)))
    }),
  )
})

test.each([
  ['{"a":1,"a":2}', 'a', 'twice'],
  ['{"a":1,"\\u0061":2}', 'a', 'twice'],
  ['{"lines":[{"sku":"A"},{"sku":"A" , "sku" : "B"}]}', 'lines.1.sku', 'twice'],
  ['{"lines":[{"quantity":1e999}]}', 'lines.0.quantity', 'number'],
  ['{"n":9007199254740993}', 'n', 'number'],
  ['[-9007199254740993]', '0', 'number'],
  ['[1e-999]', '0', 'number'],
  ['{"a":{"b":"x\\u0000y"}}', 'a.b', 'NUL'],
  ['{"a":["\\ud800"]}', 'a.0', 'surrogate'],
  ['{"\\udc00":1}', '', 'surrogate'],
  ['{"__proto__":{"x":1}}', '__proto__', 'not allowed'],
  ['{"\\u005f_proto__":{"x":1}}', '__proto__', 'not allowed'],
  ['{"a":{"constructor":{"prototype":{"x":1}}}}', 'a.constructor.prototype', 'not allowed'],
  ['{"n":NaN}', '', 'not JSON'],
  ['{"n":', '', 'too early'],
  ['', '', 'too early'],
])('%s is refused and the problem says where', (text, field, message) => {
  const told = refusal(text)
  expect(told.field).toBe(field)
  expect(told.message).toContain(message)
  expect(({} as { x?: unknown }).x).toBeUndefined()
})

test.each([
  '{"n":1e20}',
  '{"n":100000000000000000000}',
  '{"n":-0}',
  '{"constructor":"Lego"}',
  '"\\ud83d\\ude00"',
  '{"a":{"k":1},"b":{"k":1}}',
  '{"a":"{\\"a\\":1,\\"a\\":1}"}',
])("%s is nobody's business but its schema's", (text) => expect(read(text)).toEqual(JSON.parse(text)))

test('100,000 brackets and a million keys are refused, by depth and by count, in under a second', () => {
  const before = process.threadCpuUsage()
  expect(refusal('['.repeat(100_000) + ']'.repeat(100_000)).message).toContain('deeper than 32')
  expect(refusal('['.repeat(100_000)).message).toContain('not JSON')
  expect(refusal(`{"a":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`).message).toContain('deeper than 32')
  expect(refusal(`{${Array.from({ length: 60_000 }, (_, n) => `"k${n}":1`).join()}}`).message).toContain('keys')
  const { user, system } = process.threadCpuUsage(before) // microseconds of work, whoever else has the cores
  expect(user + system).toBeLessThan(1_000_000)
})

test('bytes that are not UTF-8 are refused rather than replaced', () => {
  expect(refusal(Buffer.from([0x22, 0xff, 0x22])).message).toContain('UTF-8')
})
