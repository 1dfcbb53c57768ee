/*
 * What the log asks of a disk, and the only things that it may believe of one:
 *
 * - Bytes that were written are safe once `sync()` of their file has succeeded after the write, and not before. Until then a
 *   power cut may lose them, keep them, or keep any of their sectors.
 * - A name in a folder (a new file, a removed one) is safe once `syncFolder()` has succeeded, and not before.
 * - A `sync()` that failed says nothing about what was written before it, however often it is repeated: the system may have
 *   given the pages up. Whoever gets that error writes the same bytes into another file.
 */

/** An open file. */
export interface DiskFile {
  /** Its size in bytes. */
  size(): Promise<number>
  /** Reads up to `length` bytes at `position`; gives how many there were. */
  read(target: Uint8Array, offset: number, length: number, position: number): Promise<number>
  /** Writes all of the bytes at `position`. */
  write(source: Uint8Array, position: number): Promise<void>
  /** Makes what was written safe. */
  sync(): Promise<void>
  /** Ends it; twice is fine. */
  close(): Promise<void>
}

/** A file system, or something that behaves like one. Its errors carry the system's `code`, such as `ENOSPC`. */
export interface Disk {
  /** Makes a folder and those above it, safely. */
  makeFolder(folder: string): Promise<void>
  /** The names of the files in a folder. */
  list(folder: string): Promise<string[]>
  /** Opens a file: to read an existing one, to change one (made where it is missing), or a new one that must not exist. */
  open(path: string, mode: 'read' | 'update' | 'create'): Promise<DiskFile>
  /** Removes a file; one that is not there is fine. */
  remove(path: string): Promise<void>
  /** Makes the names in a folder safe. */
  syncFolder(folder: string): Promise<void>
  /** How many bytes are free for us in the file system of a folder. */
  freeBytes(folder: string): Promise<number>
}
