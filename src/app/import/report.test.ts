import { rm } from 'node:fs/promises'
import { expect, onTestFinished, test } from 'vitest'
import { formatReport, type Problem, type Report, ReportWriter } from './report.ts'

function reportOf(problems: Problem[]): Report {
  const head = { file: 'x.csv', kind: 'catalogue', format: 'csv', encoding: 'utf-8', dryRun: false } as const
  const writer = new ReportWriter(head)
  for (const problem of problems) writer.problem(problem)
  const report = writer.finish(problems.length)
  onTestFinished(() => rm(report.full ?? '', { force: true }))
  return report
}

const many = (count: number, make: (n: number) => Omit<Problem, 'line' | 'kind'>): Problem[] =>
  Array.from({ length: count }, (_, n) => ({ line: n + 2, kind: 'refused', ...make(n) }))

/** What a terminal shows below the counts, without the path that differs. */
const told = (report: Report, options?: { verbose: boolean }) =>
  formatReport(report, options)
    .split('\n')
    .filter((line) => /^ {2}(refused|repaired|…)/.test(line))

test('a reason that thousands of records share is told once, with a count and the first lines', () => {
  const report = reportOf(many(12_345, (n) => ({ what: `p${n}`, column: 'id', reason: 'there is no such product' })))
  expect(told(report)).toEqual(['  refused     12,345 ×  [id]: there is no such product  lines 2, 3, 4, 5, 6, …'])
  expect(report.reasons).toEqual([
    { kind: 'refused', column: 'id', reason: 'there is no such product', count: 12_345, lines: [2, 3, 4, 5, 6] },
  ])
  expect(report).toMatchObject({ problemsTotal: 12_345, full: expect.stringContaining('.ndjson') })
  expect(report.problems).toHaveLength(1_000)
})

test('reasons that differ by a value, a number or the record alone are one', () => {
  const { reasons } = reportOf([
    ...many(5, (n) => ({ column: 'price', reason: `${JSON.stringify(`"${n}`)} not a number` })),
    ...many(4, (n) => ({ column: 'sku', reason: `"A ${'b'.repeat(n)}" is the SKU of line ${n + 1} already` })),
    ...many(3, (n) => ({ what: 'xyz'.slice(n), column: `variants.${n}.sku`, reason: `${'xyz'.slice(n)} is taken` })),
    ...many(2, (n) => ({ column: 'stock', reason: `${-n - 1} on hand: 0 instead` })),
    ...many(1, () => ({ column: 'stock', reason: 'negative' })),
  ])
  expect(reasons.map(({ count, column, reason }) => [count, column, reason])).toEqual([
    [5, 'price', '… not a number'],
    [4, 'sku', '… is the SKU of line … already'],
    [3, 'variants.….sku', '… is taken'],
    [2, 'stock', '… on hand: 0 instead'],
    [1, 'stock', 'negative'],
  ])
})

test('what is wrong with a few records is told of each, however late it comes', () => {
  const report = reportOf([
    { line: 1, kind: 'repaired', what: 'mug', column: 'barcode', reason: 'left out: too long' },
    ...many(5_000, () => ({ reason: 'negative' })),
    { line: 6_000, kind: 'refused', what: 'bowl', column: 'title', reason: 'is missing' },
  ])
  expect(told(report)).toEqual([
    '  refused      5,000 ×  negative  lines 2, 3, 4, 5, 6, …',
    '  repaired line      1  mug [barcode]: left out: too long',
    '  refused  line   6000  [title]: is missing',
  ])
})

test('with verbose each problem is told as far as it was kept', () => {
  const report = reportOf(many(1_200, (n) => ({ what: `p${n}`, reason: 'negative' })))
  const lines = told(report, { verbose: true })
  expect(lines[0]).toBe('  refused  line      2  p0: negative')
  expect(lines).toHaveLength(1_001)
  expect(lines.at(-1)).toBe('  … and 200 more')
})

test('a file of nothing but different reasons takes no more memory, and says how many it does not tell', () => {
  const word = (n: number) => [...String(n)].map((digit) => 'abcdefghij'[Number(digit)]).join('')
  const report = reportOf(many(3_000, (n) => ({ reason: `wrong ${word(n)}` })))
  expect(report.reasons).toHaveLength(201)
  expect(report.reasons[0]).toMatchObject({ reason: 'for other reasons', count: 2_800 })
  expect(told(report)).toHaveLength(21)
  expect(told(report).at(-1)).toBe(`  … and ${(3_000 - 2_800 - 19).toLocaleString('en')} more`)
})

test('lines are the smallest, in whatever order the shop answered', () => {
  const { reasons } = reportOf([9, 3, 7, 1, 8, 2, 6].map((line) => ({ line, kind: 'rejected', reason: 'sold out' })))
  expect(reasons[0]).toMatchObject({ count: 7, lines: [1, 2, 3, 6, 7] })
})
