/**
 * Frees the memory of bytes that nobody looks at again, instead of leaving that to the garbage collector: one that sees hundreds of
 * megabytes of dead buffers marks the whole heap again and again. Bytes that are only a part of their memory are left alone,
 * since the rest may be somebody else's.
 */
export function freeBytes(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && bytes.byteLength === buffer.byteLength) buffer.transfer(0);
}
