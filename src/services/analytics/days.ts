/** Days of a time zone. */

const QUARTER_MS = 900_000

/** The calendar day, `2026-11-20`, of an instant (milliseconds since 1970). No zone's day begins but at a quarter of an hour. */
export function dayIn(timeZone: string): (ms: number) => string {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone, dateStyle: 'short' })
  const days = new Map<number, string>()
  return (ms) => {
    const quarter = ms - (ms % QUARTER_MS)
    let day = days.get(quarter)
    if (day === undefined) days.set(quarter, (day = format.format(quarter)))
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
