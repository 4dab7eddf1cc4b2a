import { expect, test } from 'vitest'
import { costMs, firstPace, learned } from './pace.ts'

/** `'64/10 8/2000'` are a batch of 64 commands that took 10 ms, and one of 8 that took two seconds. */
const after = (batches: string, most = 1_000) =>
  batches
    .split(' ')
    .filter(Boolean)
    .map((batch) => batch.split('/').map(Number))
    .reduce((pace, [commands = 0, ms = 0]) => learned(pace, commands, ms), firstPace(most))

test.each([
  ['a quick one may be followed by four times as many', '64/10', 256],
  ['so may one that took no time that can be measured', '64/0', 256],
  ['quick ones never by more than the most', '64/10 256/10 1000/10', 1_000],
  ['a quick one of few by as many as before', '64/10 1/10', 256],
  ['one in half the time by twice as many', '64/500', 128],
  ['one in just the time by as many', '64/1000', 64],
  ['one in four times the time by a quarter', '64/4000', 16],
  ['a slow one of few by fewer still', '64/10 8/2000', 4],
  ['a single command that took longer than a batch should, by another one', '1/8000', 1],
  ['slow ones are forgotten after a few quick ones', '64/8000 8/10 32/10 128/10 512/10', 1_000],
])('%s', (_, batches, room) => {
  expect(after(batches).room).toBe(room)
})

test('a lane that may have few commands in a batch begins with no more', () => {
  expect(after('', 4).room).toBe(4)
  expect(after('4/10', 4).room).toBe(4)
})

test('at five milliseconds a command, batches come to take a second, and stay there', () => {
  let pace = firstPace(1_000)
  for (let n = 0; n < 10; n++) pace = learned(pace, pace.room, 5 * pace.room)
  expect(pace.room).toBe(200)
})

test.each([
  ['before any batch nothing is known of what a command takes', '', 0],
  ['batches that may still grow say nothing', '10/100 10/100', 0],
  ['full ones say it', '1000/50 1000/50', 0.05],
  ['so do ones that took their time', '100/1000 100/1000', 10],
  ['of two the quicker one counts', '100/1000 100/600', 6],
  ['one that was slow among quick ones says nothing', '10/5 10/3000', 0],
  ['nor does it when it is over', '10/3000 10/5', 0],
])('%s', (_, batches, ms) => {
  expect(costMs(after(batches))).toBe(ms)
})

test.each([
  ['a batch under way says nothing while it may still be quick', '64/640', '100/499', 0],
  ['one that is slow already says what it takes at least, if the one before was slow', '64/640', '100/500', 5],
  ['it says more while it lasts, never more than the one before', '64/640', '100/5000', 10],
  ['after a quick one it says nothing', '64/640 64/10', '100/5000', 0],
  ['what two have said it does not take back', '64/640 100/1000', '100/500', 10],
])('%s', (_, batches, underWay, ms) => {
  const [commands = 0, forMs = 0] = underWay.split('/').map(Number)
  expect(costMs(after(batches), { commands, ms: forMs })).toBe(ms)
})
