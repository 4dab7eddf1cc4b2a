/**
 * A checkout's commands, each one transaction with what goes along with it: a step's report with what the step changes, and the cart that it buys where that
 * begins to be bought and where it is over. Whatever happens in between and whoever dies, a cart is bought once, as it was priced, and meanwhile what is in it
 * gets into no other cart.
 */
import type { CommandOptions, Executed } from '../../engine/executor.ts'
import type { AnySource, Deed, Joint } from '../../engine/joint.ts'
import type { CheckoutCommand, CheckoutState, Report } from './decider.ts'
import type { CartReader } from './ports.ts'
import { saga } from './saga.ts'

/** What a checkout is given of carts. */
export interface Carts {
  source: AnySource
  read: CartReader
}

/** Sources behind one executor: the checkouts', of what is written in steps, and of carts, if they are bought. */
export interface Together {
  joint: Joint
  source: AnySource
  carts?: AnySource | undefined
}

type Start = Extract<CheckoutCommand, { type: 'start' }>

export class Buying {
  readonly #with: Together

  constructor(together: Together) {
    this.#with = together
  }

  start(command: Start, options: CommandOptions): Promise<Executed> {
    const { joint, source, carts } = this.#with
    const itself: Deed = { source, command }
    const { cartId } = command
    const deeds: [Deed, ...Deed[]] =
      carts && cartId !== null ? [{ source: carts, command: taking(command, cartId) }, itself] : [itself]
    return joint.together({ scope: source.name, said: command, deeds }, options)
  }

  retry(id: string, options: CommandOptions): Promise<Executed> {
    return this.#with.joint.of<CheckoutCommand>(this.#with.source)({ type: 'retry', id }, options)
  }

  /** Reports on a step, and on the one before it; what the last one changes commits with its report. Answers the state after it; throws `stale`. */
  async report(reports: readonly Report[], changes: readonly Deed[], options: CommandOptions): Promise<CheckoutState> {
    const { joint, source, carts } = this.#with
    const said = reports.map((command): Deed => ({ source, command }))
    const last = reports.at(-1) as Report
    const settling = carts && last.cartId && ends(last) ? [settled(carts, last.cartId, last.id)] : []
    const deeds = [...said.slice(0, -1), ...changes, ...said.slice(-1), ...settling] as [Deed, ...Deed[]]
    const { answer } = await joint.together(
      { scope: source.name, said: last, deeds, answer: (answers) => answers.at(-1 - settling.length) ?? {} },
      options,
    )
    return answer.state
  }
}

/** One that can't be priced is refused for that, if the cart may be bought at all. */
function taking({ id, lines, refused }: Start, cartId: string) {
  return { type: 'check-out', cartId, checkoutId: id, ...(!refused && { lines }) }
}

/** May it be over with this? */
const ends = ({ type, step }: Report) =>
  (type === 'done' && step === saga.at(-1)?.name) || (type === 'undone' && step === saga[0]?.name)

function settled(source: AnySource, cartId: string, checkoutId: string): Deed {
  const settle = { type: 'settle', cartId, checkoutId }
  return {
    source,
    command: settle,
    complete: (answers) => ({ ...settle, outcome: (answers.at(-1)?.state as CheckoutState | undefined)?.checkout }),
  }
}
