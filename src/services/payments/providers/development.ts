/**
 * A provider to develop and test with: approves, declines, dawdles, times out, answers twice and lies, as the card's token or a setting tells. It keeps a
 * book of its own in a transaction of its own, as somebody outside would; the book never lies.
 */
import { pause } from '../../../engine/deadline.ts'
import type { Executor } from '../../../engine/executor.ts'
import type { Engine } from '../../../engine/service.ts'
import type { Answer, Operation, PaymentProvider } from '../provider.ts'
import { type BookCommand, bookDecider, bookStore, paymentOf } from './book.ts'

export const behaviours = [
  'approve',
  'decline',
  /** Does it after a while. */
  'slow',
  /** Does it, and the first answer never comes. */
  'timeout',
  /** Never hears of it the first time, and so gives no answer. */
  'lost',
  /** Handles one request as if it had come twice at once. */
  'twice',
  /** Does it, and says that it was another amount. */
  'lie',
  /** Does it, and says that it was in another currency. */
  'foreign',
  /** Has forgotten the payment: says that there is none, and does nothing. */
  'forget',
  /** Does it, and the first time says that it did not. */
  'deny',
] as const
export type Behaviour = (typeof behaviours)[number]

export interface DevelopmentSettings {
  /** What it does with ordinary tokens. */
  behaviour: Behaviour
  slowMs: number
  /** Decides for each call instead of token and setting. */
  behave?: (operation: Operation, token: string, key: string) => Behaviour
}

type Asked = {
  operation: Operation
  key: string
  signal?: AbortSignal | undefined
  command: BookCommand
  token: string
}

export class DevelopmentProvider implements PaymentProvider {
  readonly #execute: Executor<BookCommand>['execute']
  readonly #db: Engine['db']
  readonly #settings: DevelopmentSettings
  /** Keys whose first answer was spoilt. */
  readonly #spoilt = new Set<string>()
  readonly #tokens = new Map<string, string>()

  constructor(engine: Engine, settings: Partial<DevelopmentSettings> = {}) {
    this.#execute = engine.executor({ name: 'payments', decider: bookDecider, store: bookStore }).execute
    this.#db = engine.db
    this.#settings = { behaviour: 'approve', slowMs: 2_000, ...settings }
  }

  authorise: PaymentProvider['authorise'] = ({ key, signal, token, amount, currency }) => {
    const payment = paymentOf(key)
    this.#remember(payment, token)
    const command = { operation: 'authorise', payment, token, amount, currency } as const
    return this.#ask({ operation: 'authorise', key, signal, command, token })
  }

  capture: PaymentProvider['capture'] = async ({ key, signal, payment, amount, currency }) => {
    const command = { operation: 'capture', payment, amount, currency } as const
    return this.#ask({ operation: 'capture', key, signal, command, token: await this.#tokenOf(payment) })
  }

  void: PaymentProvider['void'] = async ({ key, signal, payment }) => {
    const command = { operation: 'void', payment } as const
    return this.#ask({ operation: 'void', key, signal, command, token: await this.#tokenOf(payment) })
  }

  refund: PaymentProvider['refund'] = async ({ key, signal, payment, amount, currency }) => {
    const command: BookCommand = { operation: 'refund', payment, ...(amount !== undefined && { amount, currency }) }
    return this.#ask({ operation: 'refund', key, signal, command, token: await this.#tokenOf(payment) })
  }

  async #ask(asked: Asked): Promise<Answer> {
    const { operation, key, signal, token } = asked
    const behaviour =
      this.#settings.behave?.(operation, token, key) ?? behaviourOf(token, operation) ?? this.#settings.behaviour
    const first = !this.#spoilt.has(key)
    switch (behaviour) {
      case 'slow':
        await pause(this.#settings.slowMs, signal ?? never)
        return this.#book(asked)
      case 'decline':
        return this.#book(asked, 'card-declined')
      case 'forget':
        return { outcome: 'declined', reason: 'not-found' }
      case 'twice':
        return (await Promise.all([this.#book(asked), this.#book(asked)]))[1]
      case 'lost':
        if (!first) return this.#book(asked)
        this.#spoil(key)
        return silence(signal)
      case 'timeout': {
        const answer = await this.#book(asked)
        if (!first) return answer
        this.#spoil(key)
        return silence(signal)
      }
      case 'deny': {
        const answer = await this.#book(asked)
        if (!first || answer.outcome === 'declined') return answer
        this.#spoil(key)
        return { outcome: 'declined', reason: 'not-found' }
      }
      case 'lie':
      case 'foreign': {
        const answer = await this.#book(asked)
        if (answer.outcome === 'declined') return answer
        return behaviour === 'lie'
          ? { ...answer, amount: answer.amount + 1 }
          : { ...answer, currency: answer.currency === 'XXX' ? 'EUR' : 'XXX' }
      }
      default:
        return this.#book(asked)
    }
  }

  /** What tells a repetition from another request is what was asked, not how it is dealt with. */
  async #book({ key, command, operation }: Asked, refuse?: string): Promise<Answer> {
    const given =
      operation === 'authorise' || operation === 'capture' ? { ...command, ...(refuse && { refuse }) } : command
    const executed = await this.#execute(given as BookCommand, {
      key,
      actor: 'development',
      fingerprint: JSON.stringify(command),
    })
    return executed.answer as Answer
  }

  #spoil(key: string) {
    if (this.#spoilt.size > 100_000) this.#spoilt.clear()
    this.#spoilt.add(key)
  }

  #remember(payment: string, token: string) {
    if (this.#tokens.size > 100_000) this.#tokens.clear()
    this.#tokens.set(payment, token)
  }

  async #tokenOf(payment: string): Promise<string> {
    const known = this.#tokens.get(payment)
    if (known !== undefined) return known
    const [row] = await this.#db<{ token: string }>`select token from payments.book where id = ${payment}`
    return row?.token ?? ''
  }
}

/** `tok_decline` does so at authorisation, `tok_timeout_capture` at capture; any other token says nothing. */
export function behaviourOf(token: string, operation: Operation): Behaviour | undefined {
  const [, word, at = 'authorise'] = /^tok_([a-z]+)(?:_(authorise|capture|void|refund))?$/.exec(token) ?? []
  return at === operation ? behaviours.find((behaviour) => behaviour === word) : undefined
}

const never = new AbortController().signal

/** Until nobody waits any more. */
const silence = (signal = never) =>
  new Promise<never>((_, reject) => {
    const end = () => reject(new Error('no answer'))
    if (signal.aborted) end()
    else signal.addEventListener('abort', end, { once: true })
  })
