/** A mail server for tests: real SMTP on a port of its own, that can be told to be slow, to refuse at any stage, or to die. */
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer, type SMTPServerOptions, type SMTPServerSession } from 'smtp-server'

export type Stage = 'connect' | 'mail' | 'rcpt' | 'data'

export interface MailServer {
  url: string
  /** What was accepted, in order. */
  mails: Email[]
  /** By Message-ID: how often it was accepted. */
  counts(): Record<string, number>
  /** The next so many times it comes to this stage, it answers this code. */
  refuse(stage: Stage, code: number, times?: number, text?: string): void
  /** The next so many mails are taken, and the connection is cut instead of an answer. */
  swallowAnswer(times?: number): void
  /** The next so many mails are cut off before their end. */
  cutData(times?: number): void
  /** False: it takes what comes and says nothing to it. */
  answers: boolean
  connections: number
  /** Called when a mail has come whole; it is answered afterwards. */
  onMail: (mail: Email) => unknown
  close(): Promise<void>
}

const refusal = (code: number, text: string) => Object.assign(new Error(text), { responseCode: code })

export async function startMailServer(options: SMTPServerOptions & { scheme?: string } = {}): Promise<MailServer> {
  const { scheme = 'smtp', ...given } = options
  const refusals: { stage: Stage; code: number; text: string }[] = []
  const sockets = new Set<Socket>()
  let swallow = 0
  let cut = 0
  const refused = (stage: Stage) => {
    const at = refusals.findIndex((each) => each.stage === stage)
    const [found] = at < 0 ? [] : refusals.splice(at, 1)
    return found && refusal(found.code, found.text)
  }
  const socketOf = (session: SMTPServerSession) =>
    [...sockets].find((socket) => socket.remotePort === session.remotePort)
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    closeTimeout: 100,
    onConnect: (_session, done) => done(refused('connect')),
    onMailFrom: (_address, _session, done) => done(refused('mail')),
    onRcptTo: (_address, _session, done) => done(refused('rcpt')),
    onData(stream, session, done) {
      if (cut > 0) {
        cut -= 1
        stream.once('data', () => socketOf(session)?.destroy())
        return
      }
      const chunks: Buffer[] = []
      stream.on('data', (chunk) => chunks.push(chunk))
      stream.on('end', async () => {
        const no = refused('data')
        if (no) return done(no)
        const mail = await PostalMime.parse(Buffer.concat(chunks))
        made.mails.push(mail)
        await made.onMail(mail)
        if (swallow > 0) {
          swallow -= 1
          socketOf(session)?.destroy()
        } else if (made.answers) done()
      })
    },
    ...given,
  })
  server.on('error', () => {})
  server.server.on('connection', (socket: Socket) => {
    made.connections += 1
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => {})
  })
  server.listen(0, '127.0.0.1')
  await once(server.server, 'listening')
  const { port } = server.server.address() as AddressInfo
  const made: MailServer = {
    url: `${scheme}://127.0.0.1:${port}`,
    mails: [],
    counts: () =>
      Object.fromEntries(
        [...Map.groupBy(made.mails, (mail) => mail.messageId ?? '')].map(([id, mails]) => [id, mails.length]),
      ),
    refuse(stage, code, times = 1, text = 'not now') {
      for (let n = 0; n < times; n++) refusals.push({ stage, code, text })
    },
    swallowAnswer: (times = 1) => void (swallow += times),
    cutData: (times = 1) => void (cut += times),
    answers: true,
    connections: 0,
    onMail: () => {},
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
  return made
}
