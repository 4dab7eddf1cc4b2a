/** What a video is: its size, length, codec and frame rate, read from its container. Runs in the workshop's process. */
import { open } from 'node:fs/promises'
import mediaInfo, { type MediaInfo } from 'mediainfo.js'
import { GiveUp } from '../../engine/verdict.ts'
import type { Asset } from './events.ts'

export interface MadeVideo {
  width: number
  height: number
  video: NonNullable<Asset['video']>
}

/** Compiled once a process: 80 ms. */
let reader: Promise<MediaInfo<'object'>> | undefined

/** Throws GiveUp for a file in which there is no video. */
export async function videoDetails(file: string): Promise<MadeVideo> {
  const info = await (reader ??= mediaInfo({ format: 'object', chunkSize: 256 * 1024 }))
  const handle = await open(file)
  try {
    const { size } = await handle.stat()
    const { media } = await info.analyzeData(size, async (length, offset) => {
      const { buffer, bytesRead } = await handle.read(new Uint8Array(length), 0, length, offset)
      return buffer.subarray(0, bytesRead)
    })
    const track = media?.track.find((each) => each['@type'] === 'Video')
    if (!track?.Width || !track.Height) throw new GiveUp('it is broken: there is no video in it')
    const audio = media?.track.find((each) => each['@type'] === 'Audio')
    const general = media?.track.find((each) => each['@type'] === 'General')
    const seconds = track.Duration ?? general?.Duration
    const frameRate = track.FrameRate ?? general?.FrameRate
    return {
      width: track.Width,
      height: track.Height,
      video: {
        ...(seconds !== undefined && { durationMs: Math.round(seconds * 1_000) }),
        ...(track.Format && { codec: track.Format }),
        ...(frameRate && { frameRate }),
        ...(audio?.Format && { audioCodec: audio.Format }),
      },
    }
  } finally {
    info.reset()
    await handle.close()
  }
}
