import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { GiveUp, RetryAfter } from '../../engine/verdict.ts'
import { usualLimits } from './content.ts'
import { type Fetched, type FetchOptions, fetchInto, usualFetch } from './fetch.ts'
import { photo, serves, type TestServer, testServer } from './media-testing.ts'

let server: TestServer
let folder: string
let png: Buffer
let n = 0

beforeAll(async () => {
  server = await testServer()
  folder = await mkdtemp(join(tmpdir(), 'lockstep-fetch-'))
  png = await photo(64, 48).png().toBuffer()
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

const limits = { ...usualLimits, imageBytesMax: 100_000, videoBytesMax: 300_000 }
const never = new AbortController().signal
const fetched = async (link: string, options: Partial<FetchOptions> = {}) => {
  const file = join(folder, String(++n))
  const taken = await fetchInto(file, link, { ...usualFetch, privateHosts: true, limits, ...options }, never)
  return { ...(taken as Fetched), content: await readFile(file) }
}
const at = (path: string, answer: Parameters<TestServer['at']['set']>[1]) => {
  server.at.set(path, answer)
  return `${server.url}${path}`
}
/** How it was refused, and what was said. */
const refusal = (link: string, options: Partial<FetchOptions> = {}) =>
  fetched(link, options).then(
    () => 'taken',
    (error) =>
      `${error instanceof RetryAfter ? `in ${error.ms}` : error instanceof GiveUp ? 'never' : 'again'}: ${error.message}`,
  )

test('what a link leads to is here as it came, known by its content and not by what its server calls it', async () => {
  const link = at('/a.jpg', serves(png, 'image/jpeg; charset=utf-8'))
  const { content, hash, validators, ...rest } = await fetched(link)
  expect(content).toEqual(png)
  expect(hash).toMatch(/^[0-9a-f]{64}$/)
  expect(rest).toEqual({ bytes: png.length, kind: 'image', contentType: 'image/png' })
})

test('a few redirects are followed, relative ones too, and a loop is not', async () => {
  at('/end', serves(png))
  at('/two', (_, response) => response.writeHead(302, { location: 'end' }).end())
  const one = at('/one', (_, response) => response.writeHead(301, { location: '/two' }).end())
  expect((await fetched(one)).contentType).toBe('image/png')
  const loop = at('/loop', (_, response) => response.writeHead(302, { location: '/loop' }).end())
  expect(await refusal(loop)).toBe('never: it was redirected more than 5 times')
  expect(server.asked.get('/loop')).toBe(6)
  const away = at('/away', (_, response) => response.writeHead(302, { location: 'file:///etc/passwd' }).end())
  expect(await refusal(away)).toBe('never: file: is not fetched')
  const nowhere = at('/nowhere', (_, response) => response.writeHead(302).end())
  expect(await refusal(nowhere)).toBe('never: HTTP 302 leads nowhere')
})

test('too much is refused by its announcement, and by its bytes when it announces less or nothing', async () => {
  const announced = at('/announced', (_, response) => {
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': '5000000000' }).write(png)
  })
  expect(await refusal(announced)).toBe('never: it is larger than 100000 bytes, the most for an image')
  let sent = 0
  const endless = at('/endless', (_, response) => {
    response.writeHead(200, { 'content-type': 'image/png' }).write(png)
    const more = () => {
      for (let full = false; !full && !response.destroyed; sent++) full = !response.write(Buffer.alloc(10_000))
    }
    response.on('drain', more)
    more()
  })
  expect(await refusal(endless)).toBe('never: it is larger than 100000 bytes, the most for an image')
  expect(sent).toBeLessThan(2_000)
})

test('what is slow is cut off, before its first byte and between its bytes', async () => {
  const mute = at('/mute', () => {})
  expect(await refusal(mute, { timeoutMs: 100 })).toBe('again: it was not there within 0.1 s')
  const drip = at('/drip', (_, response) => {
    response.writeHead(200, { 'content-type': 'image/png' })
    const timer = setInterval(() => response.write('\x89'), 20)
    response.on('close', () => clearInterval(timer))
  })
  expect(await refusal(drip, { timeoutMs: 200 })).toBe('again: it was not there within 0.2 s')
})

test('an answer that ends before its announced length is not taken for whole', async () => {
  const short = at('/short', (_, response) => {
    response.writeHead(200, { 'content-type': 'image/png', 'content-length': String(png.length + 100) })
    response.write(png, () => response.destroy())
  })
  expect(await refusal(short)).toMatch(/^again: it can't be had/)
})

test.each([
  ['404', 404, {}, 'never: HTTP 404'],
  ['410', 410, {}, 'never: HTTP 410'],
  ['206 unasked', 206, {}, 'never: HTTP 206'],
  ['500', 500, {}, 'again: HTTP 500'],
  ['503 with a time', 503, { 'retry-after': '7' }, 'in 7000: HTTP 503'],
  ['429 with a time beyond reason', 429, { 'retry-after': '99999999' }, 'in 3600000: HTTP 429'],
  ['429 with nonsense', 429, { 'retry-after': 'soon' }, 'again: HTTP 429'],
  [
    'a web page',
    200,
    { 'content-type': 'text/html' },
    'never: its server calls it text/html, which is no image or video',
  ],
  ['a drawing', 200, { 'content-type': 'image/svg+xml' }, /^never: it is an SVG drawing/],
  ['gzip unasked', 200, { 'content-type': 'image/png', 'content-encoding': 'gzip' }, 'never: it comes in gzip unasked'],
])('%s', async (name, status, headers, said) => {
  const path = `/${encodeURIComponent(name)}`
  const link = at(path, (_, response) => response.writeHead(status, headers).end(png))
  const refused = await refusal(link)
  if (typeof said === 'string') expect(refused).toBe(said)
  else expect(refused).toMatch(said)
})

test.each([
  ['nothing', '', /it is empty/],
  ['a page called an image', '<!DOCTYPE html><p>', /it is a web page/],
  [
    'a drawing called a PNG',
    '<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a "b">]><svg><script/></svg>',
    /it is an SVG drawing/,
  ],
  ['a drawing with a link', '<svg xmlns="x"><image href="file:///etc/passwd"/></svg>', /it is an SVG drawing/],
  ['a document', '%PDF-1.7', /it is a PDF document/],
  ['an archive', 'PK\x03\x04', /it is a ZIP archive/],
  ['a byte', 'x', /it is no image or video/],
])('%s is refused for what it is', async (name, body, said) => {
  expect(await refusal(at(`/body/${encodeURIComponent(name)}`, serves(body)))).toMatch(said)
})

test.each([
  ['this machine', 'http://127.0.0.1/a.png'],
  ['this machine by name', 'http://localhost/a.png'],
  ['this machine in IPv6', 'http://[::1]/a.png'],
  ['this machine as a number', 'http://0x7f000001/a.png'],
  ['an IPv4 address in IPv6', 'http://[::ffff:10.0.0.1]/a.png'],
  ['the cloud’s metadata', 'http://169.254.169.254/latest/meta-data'],
])('%s is not fetched from', async (_name, link) => {
  expect(await refusal(link, { privateHosts: false })).toMatch(/^never: .* is at .*, which is no public address$/)
})

test.each([
  'http://169.254.169.254/latest/meta-data',
  'http://[::ffff:169.254.169.254]/',
  'http://0xa9fea9fe/',
  'http://[fe80::1]/',
  'http://[64:ff9b::a9fe:a9fe]/',
  'http://0.0.0.0/',
  'http://100.100.100.200/',
  'http://[fd00:ec2::254]/',
])('where the own network may be fetched from, %s still may not, linked or led to', async (link) => {
  const said = /^never: .* is at .*, which is neither a public address nor one of the own network$/
  expect(await refusal(link)).toMatch(said)
  const redirect = at(`/to/${encodeURIComponent(link)}`, (_, response) => {
    response.writeHead(302, { location: link }).end()
  })
  expect(await refusal(redirect)).toMatch(said)
})

test('what is no web server is not asked', async () => {
  expect(await refusal('http://example.com:5432/', { privateHosts: false })).toBe(
    'never: port 5432 is not fetched from',
  )
  expect(await refusal('http://user:secret@example.com/')).toBe('never: it has a user or a password in it')
  expect(await refusal('ftp://example.com/a.png')).toBe('never: ftp: is not fetched')
})

test('a server that is not there may be back', async () => {
  const gone = await testServer()
  await gone.close()
  expect(await refusal(`${gone.url}/a.png`)).toMatch(/^again: it can't be had/)
})

test('what a server said of it is sent back, and a link that still leads to the same is not fetched', async () => {
  const options = { ...usualFetch, privateHosts: true, limits }
  const link = at('/versioned', (request, response) => {
    if (request.headers['if-none-match'] === '"one"') response.writeHead(304).end()
    else
      serves(png, 'image/png', { etag: '"one"', 'last-modified': 'Fri, 20 Nov 2026 10:00:00 GMT' })(request, response)
  })
  const { validators } = await fetched(link)
  expect(validators).toEqual({ etag: '"one"', lastModified: 'Fri, 20 Nov 2026 10:00:00 GMT' })
  expect(await fetchInto(join(folder, 'same'), link, options, never, validators)).toBeUndefined()
  expect(await fetchInto(join(folder, 'other'), link, options, never, { etag: '"two"' })).toMatchObject({ validators })
})

test('a server that says nothing changed unasked, or names a version that can’t be sent back, is not believed', async () => {
  const unasked = at('/unasked', (_, response) => response.writeHead(304).end())
  expect(await refusal(unasked)).toBe('never: HTTP 304')
  const odd = at('/odd', serves(png, 'image/png', { etag: 'no quotes', 'last-modified': 'soon' }))
  expect((await fetched(odd)).validators).toEqual({})
  const long = at('/long', serves(png, 'image/png', { etag: `"${'x'.repeat(1_000)}"` }))
  expect((await fetched(long)).validators).toEqual({})
})
