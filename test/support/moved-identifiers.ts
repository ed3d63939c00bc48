/**
 * A stopped cluster whose next transaction and multixact are moved on, as pg_resetwal does it: embedded servers bring
 * that program for no major. After a clean shutdown the counters stand in two places, the last checkpoint's record in
 * WAL and its copy in pg_control, each under a CRC-32C. Layout of 14 to 18 (xlogrecord.h, pg_control.h), 64 bits, little
 * endian: checked by the checksums themselves before anything is written.
 */
import { closeSync, openSync, readFileSync, readSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** ControlFileData: LSN of the last checkpoint, and its copy. */
const CONTROL = { checkpoint: 32, copy: 40 };
/** CheckPoint. */
const NEXT_XID = 24;
const NEXT_MULTI = 36;
/** XLogRecord, then two bytes of the main data's short header, then the CheckPoint. */
const RECORD = { crc: 20, header: 24, data: 26 };
const PAGE = 8192;
const PAGE_HEADER = { first_of_segment: 40, other: 24 };
const SEGMENT = 16 * 1024 ** 2;
/** Identifiers that a segment of pg_xact and of pg_multixact/offsets holds (256 kB of 2 bits, and of 4 bytes, each). */
const XIDS_IN_SEGMENT = 2 ** 20;
const MULTIS_IN_SEGMENT = 2 ** 16;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0x82f63b78 : value >>> 1;
  return value;
});

function crc32c(...parts: Buffer[]): number {
  let crc = 0xffffffff;
  for (const part of parts) for (const byte of part) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Where pg_control's checksum stands: after its last field, which differs by version. */
function controlCrcOffset(control: Buffer): number {
  for (let at = 200; at < 400; at += 4) {
    if (control.readUInt32LE(at) === crc32c(control.subarray(0, at))) return at;
  }
  throw new Error('pg_control has a layout that is not known here');
}

/** Offsets in the segment's file of a record's first bytes: page headers lie between. */
function recordOffsets(start: number, length: number): number[] {
  const offsets: number[] = [];
  for (let at = start; offsets.length < length; at += 1) {
    if (at % PAGE === 0) at += at === 0 ? PAGE_HEADER.first_of_segment : PAGE_HEADER.other;
    offsets.push(at);
  }
  return offsets;
}

function move(checkpoint: Buffer, next: MovedIdentifiers): void {
  checkpoint.writeBigUInt64LE(BigInt(next.xid), NEXT_XID);
  checkpoint.writeUInt32LE(next.multi, NEXT_MULTI);
}

/** Changes some bytes, in place: who owns the file stays. */
function rewrite(file: string, change: (bytes: Buffer) => void): void {
  const bytes = readFileSync(file);
  change(bytes);
  writeFileSync(file, bytes, { flag: 'r+' });
}

export interface MovedIdentifiers {
  /** The next transaction, and the next multixact, that the server will give out. */
  xid: number;
  multi: number;
}

/**
 * @param directory of a server that was shut down cleanly.
 * @returns files that were made: the server's account must own them.
 */
export function moveIdentifiers(directory: string, next: MovedIdentifiers): string[] {
  const control = join(directory, 'global', 'pg_control');
  const bytes = readFileSync(control);
  const crcAt = controlCrcOffset(bytes);
  const lsn = bytes.readBigUInt64LE(CONTROL.checkpoint);
  const hex = (value: bigint) => value.toString(16).toUpperCase().padStart(8, '0');
  const segment = lsn / BigInt(SEGMENT);
  const timeline = BigInt(bytes.readUInt32LE(CONTROL.copy + 8));
  const wal = join(directory, 'pg_wal', `${hex(timeline)}${hex(segment / 256n)}${hex(segment % 256n)}`);
  const file = openSync(wal, 'r+');
  try {
    const at = recordOffsets(Number(lsn % BigInt(SEGMENT)), 4096);
    const one = Buffer.alloc(1);
    const byteAt = (offset: number) => {
      readSync(file, one, 0, 1, offset);
      return one[0] ?? 0;
    };
    const length = Buffer.from(at.slice(0, 4).map(byteAt)).readUInt32LE();
    const record = Buffer.from(at.slice(0, length).map(byteAt));
    const crcOf = () => crc32c(record.subarray(RECORD.header), record.subarray(0, RECORD.crc));
    if (crcOf() !== record.readUInt32LE(RECORD.crc)) throw new Error('no checkpoint where pg_control has it');
    move(record.subarray(RECORD.data), next);
    record.writeUInt32LE(crcOf(), RECORD.crc);
    for (const [index, byte] of record.entries()) writeSync(file, Buffer.of(byte), 0, 1, at[index]);
  } finally {
    closeSync(file);
  }
  rewrite(control, (changed) => {
    move(changed.subarray(CONTROL.copy), next);
    changed.writeUInt32LE(crc32c(changed.subarray(0, crcAt)), crcAt);
  });
  // The server wants the pages of the next identifiers to be there.
  const name = (value: number) => value.toString(16).toUpperCase().padStart(4, '0');
  const made = [
    join(directory, 'pg_xact', name(Math.floor(next.xid / XIDS_IN_SEGMENT))),
    join(directory, 'pg_multixact', 'offsets', name(Math.floor(next.multi / MULTIS_IN_SEGMENT))),
  ];
  for (const path of made) writeFileSync(path, Buffer.alloc(256 * 1024), { flag: 'wx' });
  return made;
}
