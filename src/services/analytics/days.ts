/** Days of a time zone. */

const QUARTER_MS = 900_000

const known = new Map<string, (ms: number) => string>()
/** Quarters of an hour whose day is remembered: a month of them. */
const REMEMBERED = 3_000

/** The calendar day, `2026-11-20`, of an instant (milliseconds since 1970). No zone's day begins but at a quarter of an hour. */
export function dayIn(timeZone: string): (ms: number) => string {
  let day = known.get(timeZone)
  if (!day) known.set(timeZone, (day = daysOf(timeZone)))
  return day
}

function daysOf(timeZone: string): (ms: number) => string {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' })
  const days = new Map<number, string>()
  return (ms) => {
    const quarter = ms - (ms % QUARTER_MS)
    let day = days.get(quarter)
    if (day !== undefined) return day
    if (days.size >= REMEMBERED) days.clear()
    days.set(quarter, (day = format.format(quarter)))
    return day
  }
}

export function isTimeZone(name: string): boolean {
  try {
    return Boolean(new Intl.DateTimeFormat('en', { timeZone: name }))
  } catch {
    return false
  }
}
