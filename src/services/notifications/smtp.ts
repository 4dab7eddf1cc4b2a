/** One connection to the mail server, and the one moment that counts: just before the end of DATA the caller is asked. */
import { Readable } from 'node:stream'
import { parseConnectionUrl } from 'nodemailer/lib/shared'
import SMTPConnection, { type SMTPConnectionOptions } from 'nodemailer/lib/smtp-connection'
import type { NotificationSettings } from './settings.ts'

/** The server can't be reached, does not greet, or does not let us in: no mail's fault. */
export class ServerAway extends Error {
  override name = 'ServerAway'
}

/** What went wrong with one mail. */
export class MailFailed extends Error {
  override name = 'MailFailed'
  /** The server's own code, if it answered: 4xx later, 5xx never. */
  readonly code: number | undefined
  /** The end of DATA was on its way: without an answer the mail may have arrived all the same. */
  readonly handed: boolean
  /** What is wrong with it shows before any server is asked. */
  readonly hopeless: boolean
  constructor(message: string, { code, handed, hopeless }: Pick<MailFailed, 'code' | 'handed' | 'hopeless'>) {
    super(message)
    this.code = code
    this.handed = handed
    this.hopeless = hopeless
  }
}

/** The caller did not want the mail to be handed over any more. No server has it. */
export class Withheld extends Error {
  override name = 'Withheld'
}

export interface Message {
  from: string
  to: string
  bytes: Buffer
}

interface SmtpError extends Error {
  code?: string
  responseCode?: number
  command?: string
}

export class SmtpSession {
  readonly #connection: SMTPConnection
  /** Rejects when the connection is over, whoever ended it. */
  readonly #over: Promise<never>
  #end: (error: Error) => void = () => {}
  #usable = true

  private constructor(connection: SMTPConnection) {
    this.#connection = connection
    this.#over = new Promise((_, reject) => {
      this.#end = (error) => {
        this.#usable = false
        reject(error)
        connection.close()
      }
    })
    this.#over.catch(() => {}) // heard by whoever waits for an answer at the time
    connection.on('error', this.#end)
    connection.on('end', () => this.#end(new Error('the mail server closed the connection')))
  }

  get usable(): boolean {
    return this.#usable
  }

  /** Connects, greets and logs in. Throws ServerAway. */
  static async open(url: string, settings: NotificationSettings, signal: AbortSignal): Promise<SmtpSession> {
    const { auth, ...options } = smtpOptions(url, settings)
    const connection = new SMTPConnection(options)
    const session = new SmtpSession(connection)
    try {
      await session.#answer<void>(signal, (done) => connection.connect(done))
      if (auth) await session.#answer<unknown>(signal, (done) => connection.login({ credentials: auth }, done))
      return session
    } catch (error) {
      session.#end(error as Error)
      throw new ServerAway((error as Error).message, { cause: error })
    }
  }

  /**
   * Sends one mail. `mayEnd` is asked when all but the end has been written: only after it said yes can the server have the mail. Answers what the
   * server said. Throws MailFailed or Withheld; the session is then of no more use.
   */
  async send(message: Message, mayEnd: () => Promise<boolean>, signal: AbortSignal): Promise<string> {
    let handed = false
    let withheld = false
    const body = heldBack(message.bytes, async () => {
      handed = !signal.aborted && (await mayEnd()) && !signal.aborted
      withheld = !handed
      return handed
    })
    const envelope = { from: message.from, to: [message.to], size: message.bytes.length }
    try {
      const info = await this.#answer<{ response: string }>(signal, (done) =>
        this.#connection.send(envelope, body, done),
      )
      return info.response
    } catch (error) {
      this.#end(error as Error)
      body.destroy()
      if (withheld) throw new Withheld('the mail was not to be handed over any more')
      throw failureOf(error as SmtpError, handed)
    }
  }

  /** Of the ways to learn that something failed, whichever comes first: the callback, the connection's end, the signal. */
  async #answer<Result>(
    signal: AbortSignal,
    ask: (done: (error?: Error | null, result?: Result) => void) => void,
  ): Promise<Result> {
    const end = () => this.#end(signal.reason)
    signal.addEventListener('abort', end, { once: true })
    try {
      signal.throwIfAborted()
      const answered = new Promise<Result>((resolve, reject) => {
        ask((error, result) => (error ? reject(error) : resolve(result as Result)))
      })
      return await Promise.race([answered, this.#over])
    } finally {
      signal.removeEventListener('abort', end)
    }
  }

  close(): void {
    if (this.#usable) this.#connection.quit()
    this.#usable = false
  }
}

function failureOf(error: SmtpError, handed: boolean): MailFailed {
  const code = error.responseCode
  const hopeless = code === undefined && !handed && (error.code === 'EENVELOPE' || error.code === 'EMESSAGE')
  return new MailFailed(error.message, { code, handed, hopeless })
}

/** A stream that gives the bytes when asked, and its end only after `mayEnd` said yes. */
function heldBack(bytes: Buffer, mayEnd: () => Promise<boolean>): Readable {
  let given = false
  return new Readable({
    read() {
      if (!given) {
        given = true
        this.push(bytes)
        return
      }
      mayEnd().then(
        (yes) => (yes ? this.push(null) : this.destroy(new Withheld('not to be handed over'))),
        (error) => this.destroy(error),
      )
    },
  })
}

/** Options in the query take part: `smtp://host:587?requireTLS=true`. Throws for a URL that is none. */
export function smtpOptions(
  url: string,
  { connectMs, greetingMs, silenceMs }: NotificationSettings,
): SMTPConnectionOptions & { auth?: { user: string; pass: string } | undefined } {
  return {
    ...parseConnectionUrl(url),
    connectionTimeout: connectMs,
    dnsTimeout: connectMs,
    greetingTimeout: greetingMs,
    socketTimeout: silenceMs,
    logger: false,
  }
}
