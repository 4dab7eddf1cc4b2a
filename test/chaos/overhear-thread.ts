/** The thread of `overhear`: passes everything on, and counts how often a text was sent. */
import { connect, createServer } from 'node:net'
import { parentPort, workerData } from 'node:worker_threads'

const { serverUrl, text, count } = workerData as { serverUrl: string; text: string; count: Int32Array }
const { hostname, port } = new URL(serverUrl)

const server = createServer({ noDelay: true }, (client) => {
  const postgres = connect({ host: hostname, port: Number(port), noDelay: true })
  let rest = '' // what may be the text's beginning
  client.on('data', (bytes) => {
    const pieces = (rest + bytes.toString('latin1')).split(text)
    rest = pieces.at(-1)?.slice(1 - text.length) ?? ''
    Atomics.add(count, 0, pieces.length - 1)
    Atomics.notify(count, 0)
    postgres.write(bytes)
  })
  postgres.on('data', (bytes) => client.write(bytes))
  client.on('error', () => {}).on('close', () => postgres.destroy())
  postgres.on('error', () => {}).on('close', () => client.destroy())
})
server.listen(0, '127.0.0.1', () => parentPort?.postMessage((server.address() as { port: number }).port))
