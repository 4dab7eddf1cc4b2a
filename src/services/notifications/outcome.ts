/** What the mail server's answer, or its silence, means for a mail. Pure. */
import type { Outcome } from './outbox.ts'
import type { NotificationSettings } from './settings.ts'
import { MailFailed, ServerAway } from './smtp.ts'

export interface Attempt {
  /** This one included. */
  attempts: number
  /** Since it was put into the outbox, or back into it by hand. */
  ageMs: number
}

type Policy = Pick<NotificationSettings, 'retryFirstMs' | 'retryMaxMs' | 'giveUpMs' | 'unknownMs'>

/**
 * 4xx: later, with backoff, until it is too old. 5xx: never. No answer before the end of DATA: nobody has it, later. No answer after it: unknown,
 * sent again. The server away: as soon as it is back, and no attempt. `random` is in [0, 1).
 */
export function outcomeOf(
  error: unknown,
  { attempts, ageMs }: Attempt,
  policy: Policy,
  random = Math.random(),
): Outcome {
  const wait = Math.min(policy.retryMaxMs, policy.retryFirstMs * 2 ** (attempts - 1))
  const retryInMs = Math.round(wait * (1 + random / 5))
  const { message } = error instanceof Error ? error : { message: String(error) }
  if (error instanceof ServerAway) return { state: 'away', error: message, retryInMs: policy.retryFirstMs }
  if (error instanceof MailFailed) {
    const { code, handed, hopeless } = error
    if (hopeless || (code !== undefined && code >= 500)) return { state: 'failed', error: message }
    if (code === undefined && handed) return { state: 'unknown', error: message, retryInMs: policy.unknownMs }
  }
  if (ageMs >= policy.giveUpMs) return { state: 'failed', error: `${message} (put off for too long)` }
  return { state: 'deferred', error: message, retryInMs }
}
