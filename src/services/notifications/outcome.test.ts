import { expect, test } from 'vitest'
import { outcomeOf } from './outcome.ts'
import { MailFailed, ServerAway } from './smtp.ts'

const policy = { retryFirstMs: 1_000, retryMaxMs: 60_000, giveUpMs: 3_600_000, unknownMs: 5_000 }
const young = { attempts: 1, ageMs: 10 }
const failed = (code: number | undefined, handed = false, hopeless = false) =>
  new MailFailed('said', { code, handed, hopeless })

test.each<[string, unknown, typeof young, string, number?]>([
  ['a 4xx is for later', failed(451), young, 'deferred', 1_000],
  ['also as the answer to DATA', failed(452, true), young, 'deferred', 1_000],
  ['each further one waits twice as long', failed(421), { attempts: 4, ageMs: 10 }, 'deferred', 8_000],
  ['but not for ever', failed(421), { attempts: 40, ageMs: 10 }, 'deferred', 60_000],
  ['a 4xx for too long is a failure', failed(451), { attempts: 9, ageMs: 3_600_000 }, 'failed'],
  ['a 5xx is a failure', failed(550), young, 'failed'],
  ['also as the answer to DATA', failed(554, true), young, 'failed'],
  ['what no server could be asked is a failure', failed(undefined, false, true), young, 'failed'],
  ['silence before the end of DATA is for later', failed(undefined), young, 'deferred', 1_000],
  ['silence after it is unknown', failed(undefined, true), young, 'unknown', 5_000],
  ['unknown it stays, however old', failed(undefined, true), { attempts: 9, ageMs: 3_600_000 }, 'unknown', 5_000],
  ['a server that is away is nobody’s failure', new ServerAway('gone'), { attempts: 9, ageMs: 9e9 }, 'away', 1_000],
  ['a mail that can not be made is for later', new Error('template'), young, 'deferred', 1_000],
  ['whatever was thrown', 'text', young, 'deferred', 1_000],
])('%s', (_claim, error, attempt, state, retryInMs) => {
  expect(outcomeOf(error, attempt, policy, 0)).toMatchObject({ state, ...(retryInMs !== undefined && { retryInMs }) })
})
