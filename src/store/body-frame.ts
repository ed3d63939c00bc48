/** Bodies of format 2 and 4: a byte of format, the length of what is JSON, that JSON compressed, then coded counters. */
import { packJson, unpackJson } from './snapshot-codec.ts';

const HEAD_BYTES = 5;

/** @param format even: bodies of format 1, plain Brotli with its usual window, begin with an odd byte. */
export async function frame(format: number, head: unknown, bytes: Uint8Array): Promise<Buffer> {
  const json = await packJson(head);
  const start = Buffer.alloc(HEAD_BYTES);
  start.writeUInt8(format, 0);
  start.writeUInt32BE(json.length, 1);
  return Buffer.concat([start, json, bytes]);
}

export async function unframe<T>(body: Buffer): Promise<{ head: T; bytes: Uint8Array }> {
  const end = HEAD_BYTES + body.readUInt32BE(1);
  return { head: (await unpackJson(body.subarray(HEAD_BYTES, end))) as T, bytes: body.subarray(end) };
}

/** Of format 1: JSON alone. */
export function isOldBody(body: Buffer): boolean {
  return (body[0] ?? 0) % 2 === 1;
}
