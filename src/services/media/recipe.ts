/** Which renditions an image is made into. Apart from how, so that whoever shows them loads no image library. */
import type { Rendition } from './events.ts'

/** Its number changes with what is made, so that what was made before is made anew. */
export const RECIPE = 3

/** Longest edge in pixels, the largest first. */
export const sizes = [
  ['zoom', 2048],
  ['large', 1280],
  ['medium', 640],
  ['small', 320],
  ['thumb', 160],
] as const satisfies (readonly [Rendition['name'], number])[]

export const formats = ['avif', 'webp', 'jpeg'] as const
export type Format = (typeof formats)[number]

const extensions = { avif: 'avif', webp: 'webp', jpeg: 'jpg' }

/** `medium.jpg` */
export const fileOf = (name: Rendition['name'], format: Format) => `${name}.${extensions[format]}`

/** By a file's extension. */
export const formatOf = (extension: string): Format | undefined =>
  formats.find((format) => extensions[format] === extension)
