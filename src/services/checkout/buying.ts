/**
 * A checkout and the cart it buys are one command where the cart begins to be bought and where that is over: both are said in one transaction, or neither.
 * Whatever happens in between and whoever dies, a cart is bought once, as it was priced, and meanwhile what is in it gets into no other cart.
 */
import type { Source } from '../../engine/decider.ts'
import type { Executor } from '../../engine/executor.ts'
import { type AnySource, type Deed, joint } from '../../engine/joint.ts'
import type { Engine } from '../../engine/service.ts'
import type { CheckoutCommand, CheckoutFact, CheckoutState } from './decider.ts'
import type { CartReader } from './ports.ts'
import { saga } from './saga.ts'

/** What a checkout is given of carts. */
export interface Carts {
  source: AnySource
  read: CartReader
}

/** Without carts, lines alone are bought. */
export function executeWith(
  engine: Pick<Engine, 'executor'>,
  source: Source<CheckoutState, CheckoutCommand, CheckoutFact>,
  carts: AnySource | undefined,
): Executor<CheckoutCommand>['execute'] {
  if (!carts) return engine.executor(source).execute
  const buying = joint(engine, [carts, source])
  const alone = buying.of<CheckoutCommand>(source)
  return (command, options) => {
    if (!('cartId' in command) || !command.cartId) return alone(command, options)
    const itself: Deed = { source, command }
    const together = { scope: source.name, said: command }
    if (command.type === 'start')
      return buying.together({ ...together, deeds: [{ source: carts, command: taking(command) }, itself] }, options)
    if (!ends(command)) return alone(command, options)
    const settle = { type: 'settle', cartId: command.cartId, checkoutId: command.id }
    const settling: Deed = {
      source: carts,
      command: settle,
      complete: ([told]) => ({ ...settle, outcome: (told?.state as CheckoutState | undefined)?.checkout }),
    }
    return buying.together({ ...together, deeds: [itself, settling], answer: ([told]) => told ?? {} }, options)
  }
}

/** One that can't be priced is refused for that, if the cart may be bought at all. */
function taking({ id, cartId, lines, refused }: Extract<CheckoutCommand, { type: 'start' }>) {
  return { type: 'check-out', cartId, checkoutId: id, ...(!refused && { lines }) }
}

/** May it be over with this? */
const ends = (command: Exclude<CheckoutCommand, { type: 'start' | 'retry' }>) =>
  (command.type === 'done' && command.step === saga.at(-1)?.name) ||
  (command.type === 'undone' && command.step === saga[0]?.name)
