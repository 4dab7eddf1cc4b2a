import { expect, test } from 'vitest'
import { Failure } from './failure.ts'
import { chosen, mustHave, selection, walked } from './selection.ts'

const row = { name: 'search', lag: { events: 3 }, 'a.b': 1, tags: ['x', 'y'] }

test.each([
  ['name', { name: 'search' }],
  ['lag.events,name', { 'lag.events': 3, name: 'search' }],
  ['a.b', { 'a.b': 1 }],
  ['lag.seconds, missing', { 'lag.seconds': null, missing: null }],
])('--json %s takes what is named, and null for what is not there', (json, expected) => {
  expect(chosen(row, selection({ json }))).toEqual(expected)
})

test.each([
  ['.', [JSON.stringify(row)]],
  ['.name', ['search']],
  ['.tags[]', ['x', 'y']],
  ['.tags[1]', ['y']],
  ['.lag', ['{"events":3}']],
  ['."a.b"', ['1']],
  ['.["a.b"]', ['1']],
  ['.none.of[].this', []],
  ['.none', ['null']],
])('--jq %s leads to %j', (jq, expected) => {
  expect(walked(row, selection({ jq }).path ?? [])).toEqual(expected)
})

test('what is no path, no field or a field of no row is a matter of usage', () => {
  expect(() => selection({ jq: '.a | length' })).toThrow(Failure)
  expect(() => selection({ json: 'a,,b' })).toThrow(Failure)
  expect(() => mustHave([row, { other: 1 }], selection({ json: 'other,name' }))).not.toThrow()
  expect(() => mustHave([row], selection({ json: 'other' }))).toThrow('there is no field other')
})
