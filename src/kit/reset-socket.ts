import type { Socket } from 'node:net'

/**
 * Ends a connection with a RST, as a broken line does. Nothing happens to a socket that is closed already.
 *
 * `socket.resetAndDestroy()` alone loses the handle of a socket that is destroyed while its shutdown is on its way: the handle
 * refuses the reset, is never closed, and the process never exits (seen with Node 20). So a socket that has just begun to
 * end is closed in the plain way, and one that is being reset reads nothing that could destroy it.
 */
export function resetSocket(socket: Socket): void {
  if (socket.connecting || (socket.writableEnded && !socket.writableFinished)) {
    socket.destroy()
    return
  }
  socket.pause()
  socket.resetAndDestroy()
}
