/** Statements of a few shapes that are put together at run time and yet planned once a connection: planning took a third of a small question. */
import type { Rows, Sql } from '../../engine/database.ts'

interface Shape {
  strings: TemplateStringsArray
  /** Which value stands at each place, counted from 1. */
  places: number[]
}

/** By their text, which is made of nothing that a caller wrote: so there are not many. */
const shapes = new Map<string, Shape>()

export function prepared<Row>(db: Sql, text: string, values: unknown[]): Promise<Rows<Row>> {
  let shape = shapes.get(text)
  if (!shape) shapes.set(text, (shape = shapeOf(text)))
  return db<Row>(shape.strings, ...shape.places.map((place) => values[place - 1]))
}

function shapeOf(text: string): Shape {
  const strings = text.split(/\$\d+/)
  const places = [...text.matchAll(/\$(\d+)/g)].map(([, place]) => Number(place))
  return { strings: Object.assign(strings, { raw: strings }), places }
}
