import { existsSync, globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { version } from '../src/app/cli/version.ts'
import { type AsyncApi, asyncApi } from '../src/app/http/asyncapi.ts'
import { incompatibilities } from './contract-changes.ts'

const root = join(import.meta.dirname, '..')
const file = join(root, 'docs/asyncapi.json')

test('the contracts break nobody who reads by those in docs/asyncapi.json, which are as they are now', async () => {
  const now = asyncApi(version())
  if (existsSync(file)) {
    const committed: AsyncApi = JSON.parse(readFileSync(file, 'utf8'))
    // No `-u` writes over a broken contract: see CONTRIBUTING.md for what to do instead.
    expect(incompatibilities(committed.components.schemas, now.components.schemas)).toEqual([])
  }
  await expect(`${JSON.stringify(now, null, 2)}\n`).toMatchFileSnapshot('../docs/asyncapi.json')
})

test('the document has every source’s events', async () => {
  const { messages, schemas } = asyncApi('0').components
  for (const path of globSync('src/services/*/events.ts', { cwd: root })) {
    const all: Record<string, unknown> = await import(join(root, path))
    const contracts = Object.entries(all).find(([name]) => name.endsWith('Events'))?.[1] ?? {}
    expect(Object.keys(messages), path).toEqual(expect.arrayContaining(Object.keys(contracts)))
    expect(Object.keys(schemas), path).toEqual(expect.arrayContaining(Object.keys(contracts)))
  }
})

test('whatever the document refers to is in it', () => {
  const document = asyncApi('0')
  const found = (place: string) =>
    place
      .slice(2)
      .split('/')
      // biome-ignore lint/suspicious/noExplicitAny: any node of the document
      .reduce<any>((node, name) => node?.[name], document)
  const places = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]+)"/g)].map(([, place = '']) => place)
  expect(places.length).toBeGreaterThan(20)
  expect(places.filter((place) => found(place) === undefined)).toEqual([])
})

const lamp = { id: z.string(), title: z.string(), tags: z.array(z.string()), note: z.string().optional() }
const schemaOf = (fields: z.ZodRawShape) => ({ lamp: z.toJSONSchema(z.object({ data: z.object(fields) })) as object })
const compare = (fields: z.ZodRawShape) =>
  incompatibilities(schemaOf({ ...lamp, status: z.enum(['on', 'off']) }) as never, schemaOf(fields) as never)
const { id: _, ...withoutId } = lamp
const status = z.enum(['on', 'off'])

test.each<[string, z.ZodRawShape]>([
  ['nothing', { ...lamp, status }],
  ['a new optional field', { ...lamp, status, colour: z.string().optional() }],
  ['a description', { ...lamp, status: status.describe('is it on?') }],
  ['the order of words', { ...lamp, status: z.enum(['off', 'on']) }],
])('%s may change', (_change, fields) => {
  expect(compare(fields)).toEqual([])
})

test.each<[string, z.ZodRawShape, string]>([
  ['a field taken away', { ...withoutId, status }, 'lamp data.id: was taken away'],
  ['an optional field taken away', { ...lamp, status, note: z.never().optional() }, 'lamp data.note: type was'],
  ['a field renamed', { ...withoutId, status, lampId: z.string() }, 'lamp data.id: was taken away'],
  ['a new required field', { ...lamp, status, colour: z.string() }, 'lamp data.colour: is new and required'],
  ['a field no longer required', { ...lamp, status: status.optional() }, 'lamp data.status: was required'],
  ['a field now required', { ...lamp, status, note: z.string() }, 'lamp data.note: was optional'],
  ['a wider type', { ...lamp, status, title: z.string().nullable() }, 'lamp data.title: type was'],
  ['a narrower type', { ...lamp, status, title: z.string().max(9) }, 'lamp data.title: maxLength was nothing, is 9'],
  ['a list of something else', { ...lamp, status, tags: z.array(z.int()) }, 'lamp data.tags[]: type was'],
  ['one word more', { ...lamp, status: z.enum(['on', 'off', 'dim']) }, 'lamp data.status: enum was'],
  ['one word less', { ...lamp, status: z.enum(['on']) }, 'lamp data.status:'],
])('%s may not', (_change, fields, told) => {
  expect(compare(fields).join('\n')).toContain(told)
})

test('an event type may come, none may go', () => {
  const one = schemaOf({ id: z.string() }) as never as Record<string, object>
  expect(incompatibilities({}, one as never)).toEqual([])
  expect(incompatibilities(one as never, {})).toEqual(['lamp: was taken away'])
})
