/** A run of bytes in the arena, memory[start, end). Made once by the caller and filled in by the functions that look for something. */
export class ByteRange {
  start = 0
  end = 0
}
