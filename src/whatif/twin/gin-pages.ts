/**
 * The metapage of a GIN index, by whose counts the planner costs it: gincostestimate() takes them where they fit the
 * index's length, and guesses where they are zero, as on an index over no row. Layout: GinMetaPageData of
 * src/include/access/ginblock.h, the same from PostgreSQL 14 to 18.
 */
import { chown, open, stat } from 'node:fs/promises';
import type { GinShape } from '../../domain/index.ts';

const BLOCK = 8192;
const HEADER = 24;
/** GinPageOpaqueData: right link, maxoff, flags. */
const OPAQUE = 8;
const LAYOUT_VERSION = 4;
const GIN_META = 1 << 3;
const INVALID_BLOCK = 0xffffffff;
/** GIN_CURRENT_VERSION. */
const GIN_VERSION = 2;
/** sizeof(GinMetaPageData), rounded up to 8. */
const META_BYTES = 56;

/** As GinInitMetabuffer() makes it, with counts. */
export function ginMetapage({ entry_pages, data_pages, entries }: GinShape, pages: number): Buffer {
  const page = Buffer.alloc(BLOCK);
  page.writeUInt16LE(HEADER + META_BYTES, 12);
  page.writeUInt16LE(BLOCK - OPAQUE, 14);
  page.writeUInt16LE(BLOCK - OPAQUE, 16);
  page.writeUInt16LE(BLOCK | LAYOUT_VERSION, 18);
  page.writeUInt32LE(INVALID_BLOCK, HEADER);
  page.writeUInt32LE(INVALID_BLOCK, HEADER + 4);
  page.writeUInt32LE(pages, HEADER + 24);
  page.writeUInt32LE(entry_pages, HEADER + 28);
  page.writeUInt32LE(data_pages, HEADER + 32);
  page.writeBigInt64LE(BigInt(Math.round(entries)), HEADER + 40);
  page.writeInt32LE(GIN_VERSION, HEADER + 48);
  page.writeUInt32LE(INVALID_BLOCK, BLOCK - OPAQUE);
  page.writeUInt16LE(GIN_META, BLOCK - 2);
  return page;
}

/**
 * Writes it into a relation's file, new or old, of which no server has the page in memory.
 * @param like a file of the same server: who owns it owns this.
 */
export async function writeGinMetapage(
  path: string,
  shape: GinShape,
  pages: number,
  like: string,
): Promise<void> {
  const owner = await stat(like);
  const file = await open(path, 'a').then(async (made) => {
    await made.close();
    return open(path, 'r+');
  });
  try {
    await file.write(ginMetapage(shape, pages), 0, BLOCK, 0);
  } finally {
    await file.close();
  }
  if (process.getuid?.() === 0) await chown(path, owner.uid, owner.gid);
}
