/** Customers: the source of who they are, what they prefer and what they agreed to. */
import { Rejected } from '../../engine/decider.ts'
import type { Executor } from '../../engine/executor.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { type CustomersCommand, customersDecider } from './decider.ts'
import { topics } from './preferences.ts'
import { openSealed, revealCustomers } from './read.ts'
import { customersRoutes } from './routes.ts'
import { customersStore } from './store.ts'
import { verifyCustomers } from './verify.ts'

export interface CustomersService extends Service<App> {
  execute: Executor<CustomersCommand>['execute']
  verify: typeof verifyCustomers
  /** For services that may know who somebody is: whoever writes to them. */
  reveal(customerIds: readonly string[]): ReturnType<typeof revealCustomers>
  /** For services that keep customers as they last saw them: opens what they have sealed. */
  open(sealed: ReadonlyMap<string, string>): ReturnType<typeof openSealed>
  /** For the link in a mail: its customer wants no more of the kind. False when there is no such customer any more, or no such topic. */
  decline(customerId: string, topic: string): Promise<boolean>
}

export function customersService(engine: Engine): CustomersService {
  const { execute } = engine.executor({ name: 'customers', decider: customersDecider, store: customersStore })
  return {
    name: 'customers',
    schema: new URL('./schema/', import.meta.url),
    routes: (app) => customersRoutes(app, engine.db, execute),
    execute,
    verify: verifyCustomers,
    reveal: (customerIds) => revealCustomers(engine.db, customerIds),
    open: (sealed) => openSealed(engine.db, sealed),
    async decline(customerId, given) {
      const topic = topics.find((one) => one === given)
      if (topic === undefined) return false
      return execute({ type: 'decline', customerId, topic }, { actor: 'unsubscribe link' }).then(
        () => true,
        (error) => {
          if (error instanceof Rejected && ['customer-erased', 'not-found'].includes(error.code)) return false
          throw error
        },
      )
    },
  }
}
