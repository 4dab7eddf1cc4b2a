/** What Zod says of a value where the schema says nothing itself: in our words, which follow the field's name. */
import type { z } from 'zod'

type Issue = z.core.$ZodRawIssue

const types: Record<string, string> = {
  string: 'text',
  int: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
}
const formats: Record<string, string> = {
  datetime: 'a time such as 2026-12-01T08:00:00Z',
  date: 'a date such as 2026-12-01',
  email: 'an e-mail address',
  url: 'an address such as https://example.com/',
  uuid: 'a UUID',
}
const counted: Record<string, [one: string, more: string]> = {
  string: ['character', 'characters'],
  array: ['entry', 'entries'],
  set: ['entry', 'entries'],
  map: ['entry', 'entries'],
}

/** For `z.config({ localeError: wording })`. */
export function wording(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `must be ${types[issue.expected] ?? issue.expected}`
    case 'invalid_value':
      return `must be ${issue.values.length > 1 ? 'one of ' : ''}${issue.values.map((each) => JSON.stringify(each)).join(', ')}`
    case 'too_small':
      return `must ${bound(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum)}`
    case 'too_big':
      return `must ${bound(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum)}`
    case 'invalid_format':
      return formats[issue.format] ? `must be ${formats[issue.format]}` : 'is not of the right form'
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'unrecognized_keys':
      return `has fields that do not belong there: ${issue.keys.join(', ')}`
    case 'invalid_union':
      return issue.input === undefined ? 'is missing' : 'is nothing that can stand here'
    case 'invalid_key':
      return 'has a name that can not stand here'
    default:
      return 'is not valid'
  }
}

function bound(origin: string, how: string, limit: number | bigint): string {
  const [one, more] = counted[origin] ?? []
  return one ? `have ${how} ${limit} ${Number(limit) === 1 ? one : more}` : `be ${how} ${limit}`
}
