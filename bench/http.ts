/**
 * `POST /orders` for one hot SKU over HTTP: 64 keep-alive connections, a token, full validation; the server is a process of its own, and has run for
 * some seconds, as its first orders are a fifth slower than those after V8 has compiled what they run. With the consumers that show a shop, and with
 * every consumer there is.
 */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bench, type Finding, MEMORY, quantile, type Server, seconds } from './bench.ts'
import { openShop, productOf, SHOWING, settled } from './shop.ts'

const CONNECTIONS = 64
const WARM_UP = 40_000
const ORDERS = 40_000
const secret = 'bench-secret-bench-secret-bench-secret'
const cli = join(import.meta.dirname, '../src/app/cli.ts')

export async function http({ url }: Server): Promise<Finding> {
  const shop = await openShop(url)
  await shop.catalog.execute({ type: 'put', product: productOf(0) })
  await settled(shop)
  await shop.inventory.execute({
    type: 'set-quantity',
    sku: 'SKU-0',
    warehouseId: 'main',
    quantity: 100_000_000,
    trigger: 'ADMIN_UPDATE',
  })
  await shop.close()
  const every = await serve(url, [])
  const showing = await serve(url, ['catalog', 'orders', ...SHOWING])
  const per = ({ perSecond, p95Ms }: typeof every) =>
    `${Math.round(perSecond).toLocaleString('en')}/s, p95 ${p95Ms.toFixed(1)} ms`
  const failed = showing.failed + every.failed
  return {
    line: `orders over ${CONNECTIONS} connections ${per(showing)}; with every consumer ${per(every)}; ${failed} failed`,
    figures: {
      perSecond: showing.perSecond,
      p95Ms: showing.p95Ms,
      p99Ms: showing.p99Ms,
      everyPerSecond: every.perSecond,
      everyP95Ms: every.p95Ms,
      failed,
      memoryMb: Math.max(showing.memoryMb, every.memoryMb),
    },
    goals: {
      'at least 5,000/s': showing.perSecond >= 5_000,
      'p95 under 40 ms': showing.p95Ms < 40,
      'none failed': failed === 0,
    },
  }
}

/** Orders through a server that runs these services, all when none are named. */
async function serve(url: string, services: string[]) {
  const env = {
    ...process.env,
    DATABASE_URL: url,
    LOCKSTEP_DATA: join(tmpdir(), 'lockstep-bench-data'),
    LOCKSTEP_JWT_SECRET: secret,
    LOCKSTEP_DEMO: 'off',
    PORT: '4870',
    NO_COLOR: '1',
  }
  const server = spawn(process.execPath, [...MEMORY, cli, 'serve', ...services], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  try {
    const port = await new Promise<number>((resolve, reject) => {
      let said = ''
      server.stderr.on('data', (chunk) => {
        said += chunk
        const found = /http:\/\/127\.0\.0\.1:(\d+)/.exec(said)
        if (found) resolve(Number(found[1]))
      })
      server.once('exit', () => reject(new Error(said)))
    })
    const token = await output(['token', '--role', 'ADMIN'], env)
    await load(port, token, WARM_UP)
    const { perSecond, latencies, failed } = await load(port, token, ORDERS)
    const memoryMb = Math.round(
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1e3,
    )
    return { perSecond, p95Ms: quantile(latencies, 0.95), p99Ms: quantile(latencies, 0.99), failed, memoryMb }
  } finally {
    server.kill('SIGINT')
    await new Promise((resolve) => server.once('exit', resolve))
  }
}

async function output(command: string[], env: NodeJS.ProcessEnv): Promise<string> {
  const child = spawn(process.execPath, [cli, ...command], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  return (await Array.fromAsync(child.stdout)).join('').trim()
}

/** Bare sockets, so that the load costs the machine little: each sends one request after the other. */
async function load(port: number, token: string, total: number) {
  const body = JSON.stringify({ lines: [{ sku: 'SKU-0', quantity: 1 }] })
  const request = Buffer.from(
    `POST /v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  )
  const latencies: number[] = []
  let left = total
  let failed = 0
  const one = () =>
    new Promise<void>((resolve, reject) => {
      const socket = connect(port, '127.0.0.1')
      let sentAt = 0
      let text = ''
      const send = () => {
        if (left-- <= 0) return resolve(void socket.end())
        sentAt = performance.now()
        socket.write(request)
      }
      socket.setNoDelay(true)
      socket.on('connect', send)
      socket.on('error', reject)
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1')
        const end = text.indexOf('\r\n\r\n')
        const length = /content-length: (\d+)/i.exec(text)?.[1]
        if (end < 0 || text.length < end + 4 + Number(length)) return
        if (!text.startsWith('HTTP/1.1 201')) failed++
        text = ''
        latencies.push(performance.now() - sentAt)
        send()
      })
    })
  const took = await seconds(() => Promise.all(Array.from({ length: CONNECTIONS }, one)))
  return { perSecond: total / took, latencies, failed }
}

await bench(import.meta, 'http', http)
