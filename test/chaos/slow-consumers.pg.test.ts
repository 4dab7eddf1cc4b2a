/** Who follows slowly: handlers a hundred times slower than others, and receivers that drip. Six seconds of traffic, where PROOF has sixty for two cores of its own. */
import { once } from 'node:events'
import { createServer as createWebServer, get, type IncomingMessage } from 'node:http'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, expect } from 'vitest'
import { openDatabase } from '../../src/engine/database.ts'
import { createTestDatabase } from '../database.ts'
import { delivered, expectSound } from './checker.ts'
import { caughtUp, owns, until } from './ownership.ts'
import { startProgram } from './program.ts'
import { type Random, seededTest } from './seed.ts'
import { type Host, residentMib, startHost } from './supervisor.ts'
import { quantile, startWorkload } from './workload.ts'

/** Half of the calls are as fast as before; beyond twice that, what other work on two cores may add. A slow consumer's own time is a second and more. */
const NOISE_MS = 300
/** With a heap this small its garbage counts for little: what grows is kept, and beyond the heap it is the end of the process. */
const SMALL_HEAP = ['--max-old-space-size=128', '--max-semi-space-size=2']
const GROWTH_MIB = 100

async function load(host: Host, random: Random, ms: number) {
  const workload = startWorkload(() => host, random, { callers: 8, entities: 200, pauseMs: 10 })
  await pause(ms)
  await workload.finish()
  return workload
}

seededTest(
  'consumers a hundred times slower than the others hold up neither these nor writers, and nothing piles up',
  async (random) => {
    const { url } = await createTestDatabase()
    const db = openDatabase(url)
    const alone = await startHost(url, { consume: true })
    await owns(db, alone.name)
    const workloads = [await load(alone, random, 1_000), await load(alone, random, 2_000)]
    const before = quantile(workloads[1]?.latenciesMs ?? [], 0.5)
    await alone.close()

    const host = await startHost(url, { consume: true, snail: true, node: SMALL_HEAP })
    await owns(db, host.name, ['copies', 'diary', 'snail', 'slug'])
    workloads.push(await load(host, random, 1_500))
    const mib = residentMib(host.pid)
    const during = await load(host, random, 4_500)
    workloads.push(during)
    const [head] = await db<{ position: number }>`select position from lockstep.head`
    await caughtUp(db)
    const [snail] = await db<{ position: number }>`select position from lockstep.consumers where name = 'snail'`
    expect(snail?.position).toBeLessThan((head?.position ?? 0) / 2) // or it was no snail
    expect(quantile(during.latenciesMs, 0.5)).toBeLessThan(2 * before + NOISE_MS)
    expect(residentMib(host.pid) - mib).toBeLessThan(GROWTH_MIB)
    await expectSound(
      db,
      workloads.flatMap((workload) => workload.calls),
    )
    expect(await delivered(db)).toEqual([])
    expect([...alone.unhandled, ...host.unhandled]).toEqual([])
    await host.kill()
    await db.close()
  },
)

const sockets = new Set<Socket>()
const closing: (() => void)[] = []
afterAll(() => {
  for (const socket of sockets) socket.destroy()
  for (const close of closing) close()
})
const kept = (socket: Socket) => {
  sockets.add(socket)
  socket.on('error', () => {}).on('close', () => sockets.delete(socket))
}

/** A byte a second, for ever. */
function drip(to: { write(text: string): unknown; on(event: 'close', heard: () => void): unknown }) {
  const timer = setInterval(() => to.write('2'), 1_000)
  to.on('close', () => clearInterval(timer))
}

/** A mail server that greets a byte a second. */
async function dripMail(): Promise<string> {
  const server = createServer((socket) => {
    kept(socket)
    drip(socket)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => server.close())
  return `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** A web server: /drip never ends, /round leads to itself. */
async function dripWeb(): Promise<string> {
  const server = createWebServer((request, response) => {
    if (request.url === '/round') return void response.writeHead(302, { location: '/round' }).end()
    response.writeHead(200, { 'content-type': 'image/png' })
    drip(response)
  }).listen(0, '127.0.0.1')
  server.on('connection', kept)
  await once(server, 'listening')
  closing.push(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Follows products live, and takes nothing of what it is told. */
async function deaf(url: string): Promise<void> {
  const request = get(url, { agent: false })
  request.on('error', () => {})
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  response.pause()
  response.on('error', () => {})
  kept(response.socket)
}

seededTest(
  'a mail server, a feed and an image that drip, a feed that leads to itself and readers who do not read hold up nobody, and each ends at its deadline',
  async () => {
    const { url } = await createTestDatabase()
    const [mail, web] = await Promise.all([dripMail(), dripWeb()])
    const program = await startProgram({
      settings: {
        DATABASE_URL: url,
        SMTP_URL: mail,
        LOCKSTEP_ADMIN_EMAIL: 'admin@example.com',
        LOCKSTEP_ALERT_DIGEST_SECONDS: '0',
        LOCKSTEP_FEED_TIMEOUT_SECONDS: '4',
        MEDIA_PRIVATE_HOSTS: 'on',
      },
      node: SMALL_HEAP,
    })
    const ok = async (path: string, method?: string, body?: unknown) => {
      const answer = await program.call(path, method, body)
      expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(400)
      return answer
    }
    const db = openDatabase(url)
    const ids = Array.from({ length: 10 }, (_, n) => `lamp-${n}`)
    const product = (id: string) => ({
      id,
      title: id,
      status: 'active',
      variants: [{ sku: `${id}-1`, price: { amount: 2_000, currency: 'EUR' } }],
    })
    for (const id of ids) await ok('/products', 'POST', product(id))
    const consumers = (await db<{ name: string }>`select name from lockstep.consumers`).map(({ name }) => name)
    await caughtUp(db, consumers)

    /** Everybody's work on ten products, one after the other. */
    const round = async (n: number) => {
      const taken: number[] = []
      for (const id of ids) {
        taken.push((await ok(`/products/${id}`, 'PATCH', { description: `${n} ${'bright '.repeat(200)}` })).ms)
        taken.push((await ok(`/products/${id}/inventory`, 'PATCH', { quantity: n % 2 === 0 ? 2 : 20 })).ms)
        taken.push((await ok(`/storefront/products/${id}`)).ms)
      }
      return taken
    }
    const before = [...(await round(1)), ...(await round(2)), ...(await round(3))]
    const mib = residentMib(program.pid)

    const media = [{ url: `${web}/drip` }]
    await ok('/products', 'POST', { ...product('pictured'), media })
    for (const name of ['drip', 'round']) {
      await ok('/feeds', 'POST', { name, kind: 'stock', format: 'csv', source: { url: `${web}/${name}` } })
      await ok(`/feeds/${name}/run`, 'POST')
    }
    for (let n = 0; n < 50; n++) await deaf(`${program.url}/storefront/live?products=${ids.join(',')}`)
    const during: number[] = []
    const since = performance.now()
    for (let n = 4; performance.now() - since < 5_000 || n < 8; n++) during.push(...(await round(n)))

    await caughtUp(db, consumers)
    expect(quantile(during, 0.5)).toBeLessThan(2 * quantile(before, 0.5) + NOISE_MS)
    expect(residentMib(program.pid) - mib).toBeLessThan(GROWTH_MIB)
    const runs = async () =>
      (await ok('/feeds?limit=10')).body.items.map(
        (feed: { name: string; lastRun: { status: string } }) => `${feed.name} ${feed.lastRun.status}`,
      )
    await until(async () => (await runs()).join() === 'drip failed,round failed')
    const mails = (await ok('/notifications?limit=200')).body.items as { state: string }[]
    expect(mails.length).toBeGreaterThan(0) // and all of them wait for a better server
    expect(mails.filter(({ state }) => !['queued', 'sending', 'deferred'].includes(state))).toEqual([])
    await program.close()
    await db.close()
  },
)
