/** Inventory's rules: which command leads to which facts. */
import type { Decider } from '../../engine/decider.ts'
import { type Command, creates, type Thresholds, touches } from './commands.ts'
import { adjust, deactivate, open, setInitial, setQuantity } from './counts.ts'
import { announce, callOff, receive } from './deliveries.ts'
import { Draft } from './draft.ts'
import { evolve, type InventoryFact, tell } from './facts.ts'
import { confirm, expire, extend, release, reserve } from './holds.ts'
import { giveBack, order, type SellingRules } from './orders.ts'
import { plan } from './planning.ts'
import { heldBy, type State } from './state.ts'
import { takeStock } from './stocktakes.ts'

export interface InventoryRules extends SellingRules, Required<Thresholds> {}

export function inventoryDecider(rules: InventoryRules): Decider<State, Command, InventoryFact> {
  return {
    touches,
    creates,
    refersTo: heldBy,
    evolve,
    tell,
    decide(states, command, now) {
      const draft = new Draft(states, now)
      switch (command.type) {
        case 'order':
          return order(draft, command, rules)
        case 'return':
        case 'cancel':
          return giveBack(draft, command, rules)
        case 'reserve':
          return reserve(draft, command, rules)
        case 'confirm':
          return confirm(draft, command, rules)
        case 'release':
          return release(draft, command, rules)
        case 'extend':
          return extend(draft, command, rules)
        case 'expire':
          return expire(draft, command, rules)
        case 'announce':
          return announce(draft, command, rules)
        case 'receive':
          return receive(draft, command, rules)
        case 'call-off':
          return callOff(draft, command, rules)
        case 'set-quantity':
          return setQuantity(draft, command, rules)
        case 'adjust':
          return adjust(draft, command, rules)
        case 'stocktake':
          return takeStock(draft, command, rules)
        case 'set-initial':
          return setInitial(draft, command, rules, rules)
        case 'open':
          return open(draft, command, rules, rules)
        case 'plan':
          return plan(draft, command, rules)
        case 'deactivate':
          return deactivate(draft, command, rules)
      }
    },
  }
}
