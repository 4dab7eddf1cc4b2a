/**
 * Sends what is in the outbox. Any number of processes may: each mail is claimed by one, and the claim is looked at again just before the mail is handed
 * over, so that one which was stopped and wakes up hands over nothing.
 */
import type { Logger } from 'pino'
import type { Database } from '../../engine/database.ts'
import { pause } from '../../engine/deadline.ts'
import { failpoint } from '../../engine/failpoint.ts'
import type { ComposeMail } from './mail.ts'
import { type Claim, claimMails, endSilentClaims, handOver, type Outcome, renewClaims, settle } from './outbox.ts'
import { outcomeOf } from './outcome.ts'
import type { NotificationSettings } from './settings.ts'
import { MailFailed, type Message, ServerAway, SmtpSession, Withheld } from './smtp.ts'

/** Mails claimed at a time. Those behind the one being sent wait for their claim to run out if the process dies. */
const CLAIMS_A_CONNECTION = 8
/** Waits between two looks at a server that is away. */
const AWAY_FIRST_MS = 1_000
const AWAY_MAX_MS = 60_000
/** A mail was taken by the server: worth some tries to write that down, else it is sent twice. */
const SETTLE_TRIES = 30
const SETTLE_WAIT_MS = 1_000
/** Time for the answer to a mail that is being handed over when the process is to end. */
const LAST_ANSWER_MS = 2_000

export class Sender {
  readonly #db: Database
  readonly #log: Logger
  readonly #settings: NotificationSettings
  readonly #compose: ComposeMail
  readonly #url: string
  #sessions: SmtpSession[] = []
  /** In a row, that the server was away. */
  #misses = 0

  constructor(db: Database, log: Logger, settings: NotificationSettings & { smtpUrl: string }, compose: ComposeMail) {
    this.#db = db
    this.#log = log
    this.#settings = settings
    this.#url = settings.smtpUrl
    this.#compose = compose
  }

  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let sent = 0
      try {
        sent = await this.runOnce(signal)
      } catch (error) {
        this.#log.warn({ err: error }, 'the outbox could not be looked at; trying again')
      }
      const away = Math.min(AWAY_MAX_MS, AWAY_FIRST_MS * 2 ** (this.#misses - 1))
      if (this.#misses > 0) await pause(away, signal)
      else if (sent === 0) {
        this.close()
        await pause(this.#settings.pollMs, signal)
      }
    }
    this.close()
  }

  /** Ends what went silent, claims what is due, sends it. Answers how many mails it took. */
  async runOnce(signal: AbortSignal = new AbortController().signal): Promise<number> {
    const unknown = await endSilentClaims(this.#db, this.#settings)
    if (unknown > 0)
      this.#log.warn({ mails: unknown }, 'a sender ended before the mail server had answered: these may arrive twice')
    const claims = await claimMails(this.#db, this.#settings.connections * CLAIMS_A_CONNECTION, this.#settings)
    if (claims.length === 0) return 0
    failpoint('mail-claimed')
    const beat = setInterval(() => {
      renewClaims(this.#db, claims, this.#settings).catch(() => {})
    }, this.#settings.leaseMs / 3)
    try {
      const waiting = [...claims]
      const oneAfterAnother = async () => {
        for (let claim = waiting.shift(); claim; claim = waiting.shift()) await this.#deliver(claim, signal)
      }
      await Promise.all(Array.from({ length: this.#settings.connections }, oneAfterAnother))
    } finally {
      clearInterval(beat)
    }
    return claims.length
  }

  close(): void {
    for (const session of this.#sessions.splice(0)) session.close()
  }

  async #deliver(claim: Claim, stopping: AbortSignal) {
    let mail: Message | Outcome
    try {
      mail = await this.#compose(claim)
    } catch (error) {
      mail = outcomeOf(error, claim, this.#settings)
    }
    const outcome = 'state' in mail ? mail : await this.#send(claim, mail, stopping)
    if (!outcome) return
    if (outcome.state === 'failed')
      this.#log.warn({ mail: claim.id, template: claim.template, reason: outcome.error }, 'a mail failed')
    await this.#settle(claim, outcome)
  }

  /** Undefined when the claim was void: the mail is somebody else's. */
  async #send(claim: Claim, mail: Message, stopping: AbortSignal): Promise<Outcome | undefined> {
    // What the server says often repeats the address, and what is kept must not.
    const discreet = (text: string) =>
      text.replaceAll(new RegExp(RegExp.escape(mail.to), 'giu'), '<the recipient>').slice(0, 500)
    const deadline = new Deadline(this.#settings.mailMs, stopping)
    try {
      const session = await this.#session(deadline.signal)
      const mayEnd = async () => {
        deadline.handedOver()
        const mine = await handOver(this.#db, claim)
        failpoint('mail-handed')
        return mine
      }
      const response = await session.send(mail, mayEnd, deadline.signal)
      failpoint('mail-accepted')
      this.#misses = 0
      this.#sessions.push(session)
      return { state: 'sent', response: discreet(response) }
    } catch (error) {
      if (error instanceof Withheld && !stopping.aborted) return undefined
      if (stopping.aborted && !(error instanceof MailFailed && error.handed))
        return { state: 'away', error: 'the process ended', retryInMs: 0 }
      if (error instanceof ServerAway) this.#missed(error)
      const outcome = outcomeOf(error, claim, this.#settings)
      if ('error' in outcome) outcome.error = discreet(outcome.error)
      return outcome
    } finally {
      deadline.over()
    }
  }

  async #session(signal: AbortSignal): Promise<SmtpSession> {
    for (let session = this.#sessions.pop(); session; session = this.#sessions.pop()) if (session.usable) return session
    return SmtpSession.open(this.#url, this.#settings, signal)
  }

  #missed(error: ServerAway) {
    if (this.#misses++ === 0) this.#log.warn({ reason: error.message }, 'the mail server is away; mails wait for it')
  }

  async #settle(claim: Claim, outcome: Outcome) {
    for (let tries = 1; ; tries++) {
      try {
        const settled = await settle(this.#db, claim, outcome)
        if (!settled) this.#log.warn({ mail: claim.id }, 'somebody else has claimed the mail meanwhile')
        return
      } catch (error) {
        if (tries === SETTLE_TRIES) throw error
        await new Promise((resolve) => setTimeout(resolve, SETTLE_WAIT_MS))
      }
    }
  }
}

/** One mail's time. When the process is to end, it is over at once, but for a mail that is being handed over, which gets a moment for its answer. */
class Deadline {
  readonly #abort = new AbortController()
  readonly #stopping: AbortSignal
  #timer: NodeJS.Timeout
  #handed = false

  constructor(ms: number, stopping: AbortSignal) {
    this.#stopping = stopping
    this.#timer = setTimeout(this.#late, ms)
    stopping.addEventListener('abort', this.#stop)
    if (stopping.aborted) this.#late()
  }

  get signal(): AbortSignal {
    return this.#abort.signal
  }

  handedOver(): void {
    this.#handed = true
  }

  over(): void {
    clearTimeout(this.#timer)
    this.#stopping.removeEventListener('abort', this.#stop)
  }

  readonly #late = () => this.#abort.abort(new Error('the mail server took too long'))
  readonly #stop = () => {
    if (!this.#handed) return this.#late()
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#late, LAST_ANSWER_MS)
  }
}
