import { readdirSync, readFileSync } from 'node:fs'

/** What a process and its children have used so far. */
export interface ProcessUse {
  /** User and system time of all threads, in microseconds. */
  readonly cpuMicros: number
  /** The user part; in the kernel's ticks of 10 ms, so it is coarser than cpuMicros. */
  readonly userMicros: number
}

const TICK_MICROS = 10_000

export function readUse(pid: number): ProcessUse {
  let cpuMicros = 0
  let userMicros = 0
  for (const one of family(pid)) {
    for (const task of readdirSync(`/proc/${one}/task`)) {
      const folder = `/proc/${one}/task/${task}`
      // Behind the name, which may hold spaces: field 14 is utime, 15 stime, counted from 1 as in proc(5).
      const stat = readFileSync(`${folder}/stat`, 'latin1')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      userMicros += Number(fields[11]) * TICK_MICROS
      cpuMicros += readRunTime(folder) ?? (Number(fields[11]) + Number(fields[12])) * TICK_MICROS
    }
  }
  return { cpuMicros, userMicros }
}

/** Time that all cores together were busy since boot, and the time of this process's children that have ended, in microseconds. */
export function readMachineUse(): { readonly busyMicros: number; readonly endedChildrenMicros: number } {
  const [user, nice, system, , , interrupt, softInterrupt] = readFileSync('/proc/stat', 'latin1')
    .split('\n')[0]
    .trim()
    .split(/\s+/)
    .slice(1)
    .map(Number)
  const stat = readFileSync('/proc/self/stat', 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return {
    busyMicros: (user + nice + system + interrupt + softInterrupt) * TICK_MICROS,
    endedChildrenMicros: (Number(fields[13]) + Number(fields[14])) * TICK_MICROS,
  }
}

/** Private memory and the share of shared memory that the process and its children hold, in bytes. */
export function readMemory(pid: number): number {
  let bytes = 0
  for (const one of family(pid)) {
    const line = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${one}/smaps_rollup`, 'latin1'))
    bytes += Number(line?.[1] ?? 0) * 1024
  }
  return bytes
}

/** Time on a CPU in nanosecond steps, the same sum that utime and stime divide; absent without CONFIG_SCHED_INFO. */
export function readRunTime(folder: string): number | undefined {
  try {
    return Number(readFileSync(`${folder}/schedstat`, 'latin1').split(' ')[0]) / 1000
  } catch {
    return undefined
  }
}

function family(pid: number): number[] {
  const children = readdirSync(`/proc/${pid}/task`).flatMap((task) => {
    const list = readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').trim()
    return list === '' ? [] : list.split(' ').map(Number)
  })
  return [pid, ...children.flatMap(family)]
}
