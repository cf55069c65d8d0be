import { readFileSync } from 'node:fs'
import { EvenerError } from '../core/index.ts'
import { BpfObject, loadObject } from '../kernel/bpf/index.ts'
import { native } from '../kernel/index.ts'

const OBJECT_PATH = new URL('../../bpf/dist/clock.bpf.o', import.meta.url)
/** What CONFIG_HZ can be. */
const FREQUENCIES = [100, 250, 300, 1000]
const TICKS = 4
const TRIES = 6
const TOLERANCE = 0.05

let known: number | undefined

/**
 * Nanoseconds of a tick of this kernel, which it tells nobody: measured once, from the beginning of one tick to that of the fourth after
 * it, in 4 to 50 ms. On a machine that is so busy that this was held up, again over twice as many.
 */
export function tickNanoseconds(): number {
  return (known ??= measure())
}

function measure(): number {
  const source = new BpfObject(readFileSync(OBJECT_PATH))
  const layout = source.layout('clock')
  const object = loadObject(native(), source)
  const argument = new Uint8Array(layout.size)
  const read = (): { ticks: number; nanoseconds: number } => {
    object.program('read_clock').runSyscall(argument)
    return { ticks: layout.read(argument, 0, 'ticks'), nanoseconds: layout.read(argument, 0, 'nanoseconds') }
  }
  try {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      const from = nextTick(read, 1)
      const to = nextTick(read, TICKS << attempt)
      const hertz = ((to.ticks - from.ticks) * 1e9) / (to.nanoseconds - from.nanoseconds)
      const nearest = FREQUENCIES.find((frequency) => Math.abs(hertz / frequency - 1) < TOLERANCE)
      if (nearest !== undefined) return Math.round(1e9 / nearest)
    }
  } finally {
    object.close()
  }
  throw new EvenerError('PACKET_UNSUPPORTED', `the kernel's tick could not be measured (none of ${FREQUENCIES.join(', ')} a second)`)
}

/** The first moment of the tick that is `count` after the present one. */
function nextTick(read: () => { ticks: number; nanoseconds: number }, count: number): { ticks: number; nanoseconds: number } {
  const { ticks } = read()
  for (;;) {
    const now = read()
    if (now.ticks - ticks >= count) return now
  }
}
