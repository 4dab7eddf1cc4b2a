/** Payments: the provider chosen by the configuration, asked with a deadline. */
import type { App } from '../../engine/http.ts'
import type { Engine, Service } from '../../engine/service.ts'
import { asking, type Payments } from './asking.ts'
import type { PaymentProvider } from './provider.ts'
import { DevelopmentProvider, type DevelopmentSettings } from './providers/development.ts'

/** One more: its line here. */
export const providers = {
  development: (engine: Engine, settings: PaymentSettings) => new DevelopmentProvider(engine, settings),
} satisfies Record<string, (engine: Engine, settings: PaymentSettings) => PaymentProvider>

export type ProviderName = keyof typeof providers

export interface PaymentSettings extends Partial<DevelopmentSettings> {
  provider?: ProviderName
  /** Milliseconds for one call; no answer by then leaves it unknown what was done. */
  deadlineMs?: number
}

export interface PaymentsService extends Service<App>, Payments {}

export function paymentsService(engine: Engine, settings: PaymentSettings = {}): PaymentsService {
  const provider = providers[settings.provider ?? 'development'](engine, settings)
  return {
    name: 'payments',
    schema: new URL('./schema/', import.meta.url),
    ...asking(provider, settings.deadlineMs ?? 10_000),
  }
}
