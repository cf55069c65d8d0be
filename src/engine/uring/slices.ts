/** Words of a record: start, end, next. */
const RECORD_SHIFT = 2
const NEXT = 2
/** 64 MiB of records; whoever queues more than that gets nothing queued. */
const MAX_RECORDS = 1 << 22

/** A pool of linked records (start, end, next) in one typed array: what the send queues of all connections are made of. */
export class Slices {
  /** Replaced when it grows: do not keep it across allocate(). */
  records: Int32Array
  #free = -1
  #used = 0

  constructor(count = 1024) {
    this.records = new Int32Array(count << RECORD_SHIFT)
  }

  /** A record with no next, or -1 at the limit. */
  allocate(start: number, end: number): number {
    let at = this.#free
    if (at !== -1) this.#free = this.records[at + NEXT]
    else {
      at = this.#used << RECORD_SHIFT
      if (at === this.records.length && !this.#grow()) return -1
      this.#used++
    }
    this.records[at] = start
    this.records[at + 1] = end
    this.records[at + NEXT] = -1
    return at
  }

  free(at: number): void {
    this.records[at + NEXT] = this.#free
    this.#free = at
  }

  #grow(): boolean {
    if (this.#used >= MAX_RECORDS) return false
    const records = new Int32Array(this.records.length * 2)
    records.set(this.records)
    this.records = records
    return true
  }
}
