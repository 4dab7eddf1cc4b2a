/** The sync status in Redis under the keys of document A, §14, written by one process at a time: whoever holds the lease that each write checks. */
import type { Redis } from 'ioredis'
import type { Statuses } from './statuses.ts'

/** A, §14: a hash of statuses by consumer, one of times (milliseconds since 1970), and a list of what they became, newest first. */
export const statusKeys = (productId: string): [string, string, string] => {
  const key = `product:sync:${productId}`
  return [key, `${key}:timestamps`, `${key}:history`]
}

/** Ids whose keys would be those of another product: they are not mirrored. */
export const canBeKept = (productId: string) => !/:(timestamps|history)$/.test(productId)

const own = {
  writer: 'lockstep:sync:writer',
  /** Keys that are not done everywhere. */
  open: 'lockstep:sync:open',
  /** Whatever the log has up to here is in the statuses. */
  position: 'lockstep:sync:position',
  /** While all are written anew: the last key that was. */
  rebuilt: 'lockstep:sync:rebuilt',
}

const LEASE_MS = 5_000
/** Entries that a product's history keeps. */
const HISTORY_MAX = 50
/** Keys a script writes at most, so that others get their turn, and a pipeline, so that its answer is not taken for overdue. */
const SCRIPT_MAX = 50
const PIPELINE_MAX = 500

// A key of another type is somebody else's: it is left alone and told. The lease is prolonged last: once a script has written anything, a full
// Redis refuses it nothing more.
const writeScript = `
  if redis.call('get', KEYS[1]) ~= ARGV[1] then return false end
  local refused = {}
  for n, subject in ipairs(cjson.decode(ARGV[6])) do
    local hash, times, history = KEYS[3 * n], KEYS[3 * n + 1], KEYS[3 * n + 2]
    local ok, trouble = pcall(function()
      local before, fresh = {}, {}
      local held = redis.call('hgetall', hash)
      for i = 1, #held, 2 do before[held[i]] = held[i + 1] end
      for _, name in ipairs(subject.fresh) do fresh[name] = true end
      local open = false
      local now, times_now, became = {}, {}, {}
      for i = 1, #subject.statuses, 2 do
        local name, status = subject.statuses[i], subject.statuses[i + 1]
        if status ~= 'done' then open = true end
        if before[name] ~= status or fresh[name] then
          now[#now + 1], now[#now + 2] = name, status
          times_now[#times_now + 1], times_now[#times_now + 2] = name, ARGV[5]
          if before[name] or fresh[name] or status ~= 'done' then
            became[#became + 1] = name .. ':' .. (status == 'retrying' and 'retry' or status)
          end
        end
        before[name] = nil
      end
      for name in pairs(before) do
        redis.call('hdel', hash, name)
        redis.call('hdel', times, name)
      end
      if #now > 0 then
        redis.call('hset', hash, unpack(now))
        redis.call('hset', times, unpack(times_now))
        if #became > 0 then
          redis.call('lpush', history, unpack(became))
          redis.call('ltrim', history, 0, ARGV[4] - 1)
          redis.call('expire', history, ARGV[3])
        end
        redis.call('expire', hash, ARGV[3])
        redis.call('expire', times, ARGV[3])
      end
      redis.call(open and 'sadd' or 'srem', KEYS[2], subject.key)
    end)
    if not ok then
      local text = type(trouble) == 'table' and trouble.err or trouble
      if not string.find(text, 'WRONGTYPE') then return redis.error_reply(text) end
      redis.call('srem', KEYS[2], subject.key)
      refused[#refused + 1] = subject.key
    end
  end
  redis.call('pexpire', KEYS[1], ARGV[2])
  return refused`

const acquireScript = `
  local held = redis.call('get', KEYS[1])
  if held and held ~= ARGV[1] then return 0 end
  redis.call('set', KEYS[1], ARGV[1], 'px', ARGV[2])
  return 1`

const placeScript = `
  if redis.call('get', KEYS[1]) ~= ARGV[1] then return false end
  redis.call('set', KEYS[2], ARGV[3])
  redis.call('pexpire', KEYS[1], ARGV[2])
  if ARGV[4] == 'end' then redis.call('del', KEYS[3]) elseif ARGV[4] ~= '' then redis.call('set', KEYS[3], ARGV[4]) end
  return 1`

export class LeaseLost extends Error {
  override name = 'LeaseLost'
}

export interface Standing {
  key: string
  statuses: Statuses
  /** Consumers whom a newer event concerns: their time and history go on though the status is the same. */
  fresh: Iterable<string>
}

export interface Place {
  position: number
  /** The last key of a rebuild that goes on, or its end. */
  rebuilt?: { key: string } | 'end' | undefined
}

/** Does something with Redis; rejects when it is gone. */
export type Use = <Result>(work: (redis: Redis) => Promise<Result>) => Promise<Result>

/** What Redis refuses, such as writes while it is full, is no reason to hang up. */
function refusable(use: Use): Use {
  return async (work) => {
    const { result, refused } = await use((redis) =>
      work(redis).then(
        (result) => ({ result, refused: undefined }),
        (error: Error) => {
          if (error.name !== 'ReplyError') throw error
          return { result: undefined, refused: error }
        },
      ),
    )
    if (refused) throw refused
    return result as Awaited<ReturnType<typeof work>>
  }
}

export class RedisStatuses {
  readonly #use: Use
  readonly #token: string
  readonly #seconds: number

  /** `seconds`: how long a product's keys stay after its last change. */
  constructor(use: Use, token: string, seconds: number) {
    this.#use = refusable(use)
    this.#token = token
    this.#seconds = seconds
  }

  /** True when this process may write from now on. */
  async acquire(): Promise<boolean> {
    return (await this.#use((redis) => redis.eval(acquireScript, 1, own.writer, this.#token, LEASE_MS))) === 1
  }

  /** Lets another process write at once. */
  async release(): Promise<void> {
    const script = `if redis.call('get', KEYS[1]) == ARGV[1] then redis.call('del', KEYS[1]) end`
    await this.#use((redis) => redis.eval(script, 1, own.writer, this.#token))
  }

  /** Undefined after Redis has forgotten. */
  async position(): Promise<number | undefined> {
    const text = await this.#use((redis) => redis.get(own.position))
    return text === null ? undefined : Number(text)
  }

  /** The key behind which a rebuild goes on; undefined when there is none. */
  async rebuilt(): Promise<string | undefined> {
    return (await this.#use((redis) => redis.get(own.rebuilt))) ?? undefined
  }

  async rebuild(): Promise<void> {
    await this.#use((redis) => redis.set(own.rebuilt, ''))
  }

  /** Some of the keys that are not done everywhere, and where to go on; '0' begins and ends. */
  async open(cursor: string, count: number): Promise<{ keys: string[]; cursor: string }> {
    const [next, keys] = await this.#use((redis) => redis.sscan(own.open, cursor, 'COUNT', count))
    return { keys, cursor: next }
  }

  openCount(): Promise<number> {
    return this.#use((redis) => redis.scard(own.open))
  }

  /**
   * In one pipeline as a rule; the place last, so that whatever it covers stands. Answers the keys that hold something else. Throws LeaseLost
   * when somebody else writes now, or Redis has forgotten that we do.
   */
  async write(standings: Standing[], place: Place, at: Date): Promise<string[]> {
    const refused: string[] = []
    let n = 0
    for (; standings.length - n > PIPELINE_MAX; n += PIPELINE_MAX)
      refused.push(...(await this.#send(standings.slice(n, n + PIPELINE_MAX), undefined, at)))
    return [...refused, ...(await this.#send(standings.slice(n), place, at))]
  }

  async #send(standings: Standing[], place: Place | undefined, at: Date): Promise<string[]> {
    const answers = await this.#use(async (redis) => {
      const pipeline = redis.pipeline()
      for (let n = 0; n < standings.length; n += SCRIPT_MAX) {
        const some = standings.slice(n, n + SCRIPT_MAX)
        const keys = [own.writer, own.open, ...some.flatMap(({ key }) => statusKeys(key))]
        const said = some.map(({ key, statuses, fresh }) => ({
          key,
          statuses: [...statuses].flat(),
          fresh: [...fresh],
        }))
        const settings = [this.#token, LEASE_MS, this.#seconds, HISTORY_MAX, at.getTime()]
        pipeline.eval(writeScript, keys.length, ...keys, ...settings, JSON.stringify(said))
      }
      if (place) {
        const { position, rebuilt } = place
        const cursor = rebuilt === 'end' ? 'end' : rebuilt ? `>${rebuilt.key}` : ''
        pipeline.eval(placeScript, 3, own.writer, own.position, own.rebuilt, this.#token, LEASE_MS, position, cursor)
      }
      return (await pipeline.exec()) ?? []
    })
    const refused: string[] = []
    for (const [error, answer] of answers) {
      if (error) throw error
      if (answer === null) throw new LeaseLost('another process mirrors the sync status, or Redis has forgotten')
      if (Array.isArray(answer)) refused.push(...(answer as string[]))
    }
    return refused
  }
}
