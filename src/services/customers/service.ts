/** Customers: the source of who they are, what they prefer and what they agreed to. */
import type { Executor } from '../../engine/executor.ts'
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { type CustomersCommand, customersDecider } from './decider.ts'
import { revealCustomers } from './read.ts'
import { customersRoutes } from './routes.ts'
import { customersStore } from './store.ts'
import { verifyCustomers } from './verify.ts'

export interface CustomersService extends Service<App> {
  execute: Executor<CustomersCommand>['execute']
  verify: typeof verifyCustomers
  /** For services that may know who somebody is: whoever writes to them. */
  reveal(customerIds: readonly string[]): ReturnType<typeof revealCustomers>
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
  }
}
