/** Every route of the shop, read from its own description, with what no honest client sends: in paths, queries and every field of bodies. */
import { expect, test } from 'vitest'
import { catalogue } from '../../src/app/http/problem-catalogue.ts'
import { createTestDatabase } from '../database.ts'
import { openTestShop } from '../shop.ts'
import { type JsonSchema, leavesOf, sampleOf, withLeaf } from './samples.ts'

const texts = [
  `'; drop table canary; --`,
  `" or 1=1 /*`,
  '$1; select pg_sleep(5)',
  '../../../../etc/passwd',
  '\u0000',
  '\ud800',
  '\u001e',
  '__proto__',
  'constructor',
  '{{7*7}}<script>alert(1)</script>',
  `${'a'.repeat(50_000)}!`,
  '\u202e\u200f%00%0d%0aset-cookie: x=1',
]
const values = [
  ...texts,
  { $gt: '' },
  ['a'],
  null,
  true,
  -1,
  1.5,
  Number.MAX_SAFE_INTEGER + 1,
  1e308,
  JSON.parse('{"__proto__":{"polluted":true}}'),
]

interface Operation {
  parameters?: { name: string; in: string; schema: JsonSchema }[]
  requestBody?: { content: Record<string, { schema: JsonSchema }> }
}

interface Attack {
  method: string
  path: string
  body?: string
}

/** What one operation is attacked with; each attack differs from an honest request in one place. */
function attacksOn(method: string, pattern: string, operation: Operation): Attack[] {
  const names = [...pattern.matchAll(/\{(\w+)\}/g)].map(([, name]) => name as string)
  const honest = names.reduce((path, name) => path.replace(`{${name}}`, 'lamp'), pattern)
  const query = (operation.parameters ?? []).filter((parameter) => parameter.in === 'query')
  const schema = Object.values(operation.requestBody?.content ?? {})[0]?.schema
  const sample = schema && sampleOf(schema)
  const body = sample === undefined ? {} : { body: JSON.stringify(sample) }
  const attacks: Attack[] = []
  for (const name of names) {
    for (const text of texts) {
      const others = names.filter((other) => other !== name)
      const path = others.reduce((soFar, other) => soFar.replace(`{${other}}`, 'lamp'), pattern)
      attacks.push({ method, path: path.replace(`{${name}}`, encodeURIComponent(text.toWellFormed())), ...body })
    }
  }
  for (const { name } of query) {
    for (const text of texts)
      attacks.push({ method, path: `${honest}?${name}=${encodeURIComponent(text.toWellFormed())}` })
    attacks.push({ method, path: `${honest}?${name}[__proto__][polluted]=1` })
    attacks.push({ method, path: `${honest}?${name}=1&${name}=2` })
  }
  if (sample !== undefined) {
    for (const leaf of leavesOf(sample)) {
      for (const value of values)
        attacks.push({ method, path: honest, body: JSON.stringify(withLeaf(sample, leaf, value)) })
    }
    for (const raw of [
      '',
      '[',
      '[]',
      '"x"',
      'null',
      '{"a":1,"a":2}',
      `${'['.repeat(100_000)}`,
      '{"n":1e999}',
      '\ufeff{}',
    ])
      attacks.push({ method, path: honest, body: raw })
  }
  return attacks
}

test('no route fails, leaks or is poisoned by anything in its path, its query or any field of its body', {
  timeout: 180_000,
}, async () => {
  await using shop = await openTestShop((await createTestDatabase()).url)
  const { app, engine } = shop
  await engine.db`create table canary (alive boolean)`
  const admin = await shop.as('ADMIN')
  const json = { ...admin, 'content-type': 'application/json' }
  const { paths } = (await app.inject('/openapi.json')).json() as { paths: Record<string, Record<string, Operation>> }
  const answering = Object.entries(paths).filter(([path]) => !path.endsWith('/live')) // the others never end their answer
  const attacks = answering.flatMap(([path, operations]) =>
    Object.entries(operations).flatMap(([method, operation]) => attacksOn(method.toUpperCase(), path, operation)),
  )
  const wrong: string[] = []
  for (const { method, path, body } of attacks) {
    const response = await app.inject({
      method: method as 'POST',
      url: path,
      headers: body === undefined ? admin : json,
      ...(body !== undefined && { payload: body }),
    })
    const said = (what: string) => wrong.push(`${method} ${path.slice(0, 200)} ${(body ?? '').slice(0, 300)}: ${what}`)
    const { statusCode, body: text } = response
    if (statusCode >= 500) said(`${statusCode} ${text.slice(0, 300)}`)
    if (/\bat .*\.(ts|js):\d+|select .* from |insert into|syntax error/.test(text)) said(`leaks ${text.slice(0, 300)}`)
    if (statusCode >= 400 && statusCode < 500) {
      const type = String(response.headers['content-type'])
      const problem = type.startsWith('application/problem+json') ? response.json() : undefined
      if (!problem) said(`${statusCode} is no problem but ${type}`)
      else if (!(problem.type.replace('/problems/', '') in catalogue)) said(`${problem.type} is in no catalogue`)
    }
    if (response.headers['set-cookie'] !== undefined) said('sets a cookie')
    if (({} as { polluted?: unknown }).polluted !== undefined)
      throw new Error(`${method} ${path} poisoned every object`)
  }
  expect(wrong.slice(0, 20)).toEqual([])
  expect(attacks.length).toBeGreaterThan(5_000)
  expect(await engine.db`select from canary`).toHaveLength(0)
  expect(shop.logged()).not.toContain('request failed')
})
