/**
 * Preloaded into a process whose clock is to be wrong: CLOCK_SHIFTS_MS=3600000,-600000 is an hour ahead, and from a SIGUSR2 on ten minutes behind.
 * Timers and monotonic time stay right, as they do on a machine whose clock is set.
 */
const shifts = (process.env.CLOCK_SHIFTS_MS ?? '0').split(',').map(Number)
process.on('SIGUSR2', () => shifts.length > 1 && shifts.shift())

const RealDate = Date
const now = () => RealDate.now() + (shifts[0] ?? 0)

globalThis.Date = new Proxy(RealDate, {
  apply: () => new RealDate(now()).toString(),
  construct: (target, given, made) => Reflect.construct(target, given.length === 0 ? [now()] : given, made),
  get: (target, name) => (name === 'now' ? now : Reflect.get(target, name)),
})
