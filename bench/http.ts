/** `POST /orders` for one hot SKU over HTTP: 64 keep-alive connections, a token, full validation; the server is a process of its own. */
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bench, type Finding, MEMORY, quantile, type Server, seconds } from './bench.ts'
import { openShop, productOf, settled } from './shop.ts'

const CONNECTIONS = 64
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

  const env = {
    ...process.env,
    DATABASE_URL: url,
    LOCKSTEP_DATA: join(tmpdir(), 'lockstep-bench-data'),
    LOCKSTEP_JWT_SECRET: secret,
    LOCKSTEP_DEMO: 'off',
    PORT: '4870',
    NO_COLOR: '1',
  }
  const server = spawn(process.execPath, [...MEMORY, cli, 'serve'], { env, stdio: ['ignore', 'ignore', 'pipe'] })
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
    await load(port, token, 4_000)
    const { perSecond, latencies, failed } = await load(port, token, ORDERS)
    const p95 = quantile(latencies, 0.95)
    const memoryMb = Math.round(
      Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))?.[1]) / 1e3,
    )
    return {
      line: `${Math.round(perSecond).toLocaleString('en')} orders/s over ${CONNECTIONS} connections, p95 ${p95.toFixed(1)} ms, ${failed} failed`,
      figures: { perSecond, p95Ms: p95, p99Ms: quantile(latencies, 0.99), failed, memoryMb },
      goals: { 'at least 5,000/s': perSecond >= 5_000, 'p95 under 40 ms': p95 < 40, 'none failed': failed === 0 },
    }
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
