/** A wire to a server, Postgres or our own, that can be cut, closed, slowed, sliced or left for dead, while both ends believe in it. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterAll } from 'vitest'

export interface Wire {
  /** The server's URL through the wire. */
  url: string
  /** Connections accepted so far. */
  connections(): number
  /** Ends every connection: `reset` drops what is under way, `close` ends both directions in order. */
  cut(how: 'reset' | 'close'): void
  /** Ends the next connection that has carried so many more bytes towards the client. */
  cutAfter(bytes: number, how: 'reset' | 'close'): void
  /** Refuses new connections and resets the present ones until `heal`. */
  down(): void
  /**
   * The next client message that contains this text is cut off right before it, and that connection is a black hole from then on: both ends
   * stay connected, nothing arrives. Resolves when it happened.
   */
  swallowFrom(text: string): Promise<void>
  /** Resets the next connection whose server answers with this text, instead of handing the answer on. Resolves when it happened. */
  loseAnswer(text: string): Promise<void>
  /** Keeps back what the server of the next connection that answers with this text sends, from that answer on. Resolves when it happened. */
  holdAnswer(text: string): Promise<HeldAnswer>
  /** From now on so large a share of what the server sends is lost, and its connection reset. */
  loseShare(share: number, random: () => number): void
  /** Connections made from now on lead to another server; the present ones stay as they are. */
  repoint(serverUrl: string): void
  /** From now on everything takes so many milliseconds more, each way. Stays, as what came later must not overtake. */
  slow(ms: number): void
  /** Each byte sequence arrives in pieces of at most so many bytes; 0 for no slicing. */
  slice(bytes: number): void
  /** Passes everything again; black holes are reset. */
  heal(): void
}

export interface HeldAnswer {
  /** Has the client sent this text by now, without having heard the answer? */
  hasSent(text: string): boolean
  /** Hands on what was kept back. */
  release(): void
}

interface Link {
  client: Socket
  server: Socket
  swallowed: boolean
  /** What the server sent and the client does not hear yet. */
  held: Buffer[] | undefined
  /** What the client sent since answers are held back. */
  sent: Buffer[]
}

export async function openWire(serverUrl: string): Promise<Wire> {
  let target = new URL(serverUrl)
  const links = new Set<Link>()
  let accepted = 0
  let down = false
  let pieces = 0
  let delayMs = 0
  let budget: { left: number; how: 'reset' | 'close' } | undefined
  let swallow: { text: Buffer; done: () => void } | undefined
  let lose: { text: Buffer; done: () => void } | undefined
  let hold: { text: Buffer; done: (held: HeldAnswer) => void } | undefined
  let loses = () => false

  const end = (link: Link, how: 'reset' | 'close') => {
    links.delete(link)
    for (const socket of [link.client, link.server]) how === 'reset' ? socket.resetAndDestroy() : socket.end()
  }
  // Timers of one length come in the order they were set.
  const later = (work: () => void) => void (delayMs === 0 ? work() : setTimeout(work, delayMs))
  const pass = (to: Socket, bytes: Buffer) => later(() => passNow(to, bytes))
  const passNow = (to: Socket, bytes: Buffer) => {
    if (pieces === 0) return void to.write(bytes)
    for (let at = 0; at < bytes.length; at += pieces) to.write(bytes.subarray(at, at + pieces))
  }

  const holdFrom = (link: Link, bytes: Buffer): HeldAnswer => {
    const held = (link.held = [bytes])
    return {
      hasSent: (text) => Buffer.concat(link.sent).includes(text),
      release() {
        link.held = undefined
        for (const answer of held) pass(link.client, answer)
      },
    }
  }

  const server = createServer({ noDelay: true }, (client) => {
    accepted++
    if (down) return void client.resetAndDestroy()
    const link: Link = {
      client,
      server: connect({ host: target.hostname, port: Number(target.port), noDelay: true }),
      swallowed: false,
      held: undefined,
      sent: [],
    }
    links.add(link)
    client.on('data', (bytes) => {
      if (link.swallowed) return
      if (hold || link.held) link.sent.push(bytes)
      const at = swallow ? bytes.indexOf(swallow.text) : -1
      if (at < 0) return pass(link.server, bytes)
      link.swallowed = true
      pass(link.server, bytes.subarray(0, at))
      swallow?.done()
      swallow = undefined
    })
    link.server.on('data', (bytes) => {
      if (link.swallowed) return
      if (link.held) return void link.held.push(bytes)
      if (hold && bytes.includes(hold.text)) {
        hold.done(holdFrom(link, bytes))
        hold = undefined
        return
      }
      if (lose && bytes.includes(lose.text)) {
        lose.done()
        lose = undefined
        return end(link, 'reset')
      }
      if (loses()) return end(link, 'reset')
      if (budget && (budget.left -= bytes.length) <= 0) {
        pass(client, bytes.subarray(0, bytes.length + budget.left))
        end(link, budget.how)
        budget = undefined
      } else pass(client, bytes)
    })
    for (const [socket, other] of [
      [client, link.server],
      [link.server, client],
    ] as const) {
      socket.on('error', () => {})
      socket.on('close', () => {
        if (link.swallowed && links.has(link)) return // nobody hears of it
        links.delete(link)
        later(() => other.destroy())
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(serverUrl)
  url.hostname = '127.0.0.1'
  url.port = String((server.address() as { port: number }).port)

  const cut = (how: 'reset' | 'close') => [...links].forEach((link) => void end(link, how))
  afterAll(() => {
    cut('reset')
    server.close()
  })
  return {
    url: url.href,
    connections: () => accepted,
    cut,
    cutAfter: (bytes, how) => void (budget = { left: bytes, how }),
    down() {
      down = true
      cut('reset')
    },
    swallowFrom: (text) => new Promise((done) => (swallow = { text: Buffer.from(text), done })),
    loseAnswer: (text) => new Promise((done) => (lose = { text: Buffer.from(text), done })),
    holdAnswer: (text) => new Promise((done) => (hold = { text: Buffer.from(text), done })),
    loseShare: (share, random) => void (loses = () => random() < share),
    repoint: (serverUrl) => void (target = new URL(serverUrl)),
    slow: (ms) => void (delayMs = ms),
    slice: (bytes) => void (pieces = bytes),
    heal() {
      down = false
      pieces = 0
      loses = () => false
      for (const link of links) if (link.swallowed) end(link, 'reset')
    },
  }
}
