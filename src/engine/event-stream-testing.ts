/** The other end of an event stream, for tests. */
import { EventEmitter } from 'node:events'

/** A socket that takes so many writes and then has no room until it is drained. */
export class Narrow extends EventEmitter {
  written: string[] = []
  room: number
  ended = ''
  constructor(room: number) {
    super()
    this.room = room
  }
  writeHead() {}
  write(text: string) {
    this.written.push(text)
    return --this.room > 0
  }
  drain(room: number) {
    this.room = room
    this.emit('drain')
  }
  end() {
    this.ended = 'ended'
  }
  destroy() {
    this.ended = 'destroyed'
  }
}
