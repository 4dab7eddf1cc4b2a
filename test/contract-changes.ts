/**
 * What a change of the contracts breaks. The log keeps every event for good, and replays hand out the old beside the new: whoever reads by either
 * contract must understand both. So a new event type and a new optional field are compatible, and everything else is not: taken away or renamed,
 * required or no longer, wider (readers meet what they don't know) or narrower (old events don't fit).
 */
import { isDeepStrictEqual } from 'node:util'
import type { JsonSchema } from '../src/app/http/asyncapi.ts'

/** Sentences that begin with the place: `product.updated product.title: was taken away`. Empty when all is compatible. */
export function incompatibilities(before: Record<string, JsonSchema>, after: Record<string, JsonSchema>): string[] {
  return Object.entries(before).flatMap(([name, old]) => {
    const now = after[name]
    return now ? changes(name, old, now) : [`${name}: was taken away`]
  })
}

const annotations = new Set(['title', 'description', 'examples', 'default', 'deprecated', '$comment'])
const structure = new Set(['properties', 'required', 'items', 'additionalProperties', 'anyOf', 'oneOf', 'allOf'])

function changes(at: string, old: JsonSchema, now: JsonSchema): string[] {
  const keywords = [...new Set([...Object.keys(old), ...Object.keys(now)])]
  return [
    ...keywords
      .filter((keyword) => !annotations.has(keyword) && !structure.has(keyword))
      .filter((keyword) => !isDeepStrictEqual(unordered(old[keyword]), unordered(now[keyword])))
      .map((keyword) => `${at}: ${keyword} was ${told(old[keyword])}, is ${told(now[keyword])}`),
    ...fields(at, old, now),
    ...['items', 'additionalProperties'].flatMap((keyword) => parts(`${at}[]`, [old[keyword]], [now[keyword]])),
    ...['anyOf', 'oneOf', 'allOf'].flatMap((keyword) => parts(at, list(old[keyword]), list(now[keyword]))),
  ]
}

function fields(at: string, old: JsonSchema, now: JsonSchema): string[] {
  const [before, after] = [schemas(old.properties), schemas(now.properties)]
  const [needed, needs] = [list(old.required), list(now.required)]
  return [
    ...Object.entries(before).flatMap(([name, schema]) => {
      const place = inside(at, name)
      const same = after[name]
      if (!same) return [`${place}: was taken away`]
      if (needed.includes(name) && !needs.includes(name)) return [`${place}: was required, is optional`]
      if (!needed.includes(name) && needs.includes(name)) return [`${place}: was optional, is required`]
      return changes(place, schema, same)
    }),
    ...Object.keys(after)
      .filter((name) => !(name in before) && needs.includes(name))
      .map((name) => `${inside(at, name)}: is new and required; old events have none`),
  ]
}

function parts(at: string, old: unknown[], now: unknown[]): string[] {
  if (old.length !== now.length) return [`${at}: had ${old.length} alternatives, has ${now.length}`]
  return old.flatMap((schema, n) => {
    const same = now[n]
    if (isSchema(schema) && isSchema(same)) return changes(at, schema, same)
    return isDeepStrictEqual(schema, same) ? [] : [`${at}: was ${told(schema)}, is ${told(same)}`]
  })
}

const inside = (at: string, name: string) => (at.includes(' ') ? `${at}.${name}` : `${at} ${name}`)
const isSchema = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null
const schemas = (value: unknown) => (value ?? {}) as Record<string, JsonSchema>
const list = (value: unknown) => (value ?? []) as unknown[]
const told = (value: unknown) => (value === undefined ? 'nothing' : JSON.stringify(value))
/** `enum` and `type` list their words in any order. */
const unordered = (value: unknown) => (Array.isArray(value) ? value.map(told).sort() : value)
