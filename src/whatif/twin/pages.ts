/**
 * Relation files as the planner measures them: it asks the file system for their length and reads of an index only the
 * metapage and, for the ends of a column's range, the outermost leaf. So files are extended sparsely, and a B-tree
 * gets a metapage with its true level, and a root of that level right above an empty leaf: a descent ends at the first
 * leaf (_bt_search()) or page of level 0 (_bt_get_endpoint()), however far below the root that is.
 * Layouts: src/include/storage/bufpage.h, src/include/access/nbtree.h, itup.h of PostgreSQL 14 to 18.
 */
import { chown, open, stat, truncate, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { PgLuthierError } from '../../domain/index.ts';

const BLOCK = 8192;
/** RELSEG_SIZE: a relation's file is cut into segments of 1 GB. */
const SEGMENT_BLOCKS = 131_072;

const PROBE_BYTES = 64 * 1024 * 1024;

/**
 * Sees whether a file can be long without filling the disk: a twin of a large database would otherwise take its size.
 * @throws PgLuthierError `twin_needs_sparse_files`.
 */
export async function assertSparseFiles(directory: string): Promise<void> {
  const path = join(directory, 'pgluthier_sparse_probe');
  const file = await open(path, 'w');
  try {
    await file.truncate(PROBE_BYTES);
    // What a file system without sparse files allocates may show only once it is written out.
    await file.sync();
    const { blocks } = await file.stat();
    if (blocks * 512 < PROBE_BYTES / 2) return;
    throw new PgLuthierError({
      code: 'twin_needs_sparse_files',
      status: 500,
      message: 'The temporary folder is on a file system without sparse files: a twin would fill it.',
      remedy: 'Set TMPDIR to a folder on ext4, xfs, btrfs, zfs, tmpfs or apfs.',
    });
  } finally {
    await file.close();
    await unlink(path);
  }
}

/**
 * Gives a relation's main fork the length of `pages` without writing data. An index on no row may be longer than one on
 * a few: a new hash index is laid out for as many rows as an empty table of ten pages would hold.
 */
export async function extendRelation(path: string, pages: number): Promise<void> {
  const owner = await stat(path);
  for (let segment = 0; segment * SEGMENT_BLOCKS < pages; segment += 1) {
    const name = segment === 0 ? path : `${path}.${segment}`;
    const size = Math.min(SEGMENT_BLOCKS, pages - segment * SEGMENT_BLOCKS) * BLOCK;
    const file = await open(name, 'a');
    try {
      if ((await file.stat()).size !== size) await file.truncate(size);
    } finally {
      await file.close();
    }
    if (segment > 0 && process.getuid?.() === 0) await chown(name, owner.uid, owner.gid);
  }
}

/**
 * Makes the server see no page of a relation while `work` runs: CREATE INDEX would read a gigabyte of zeros for each
 * gigabyte of table. The first segment alone decides, for nothing has opened the others (mdnblocks() of md.c).
 */
export async function withoutPages<T>(paths: readonly string[], work: () => Promise<T>): Promise<T> {
  const sizes: number[] = [];
  try {
    for (const path of paths) {
      const { size } = await stat(path);
      await truncate(path, 0);
      sizes.push(size);
    }
    return await work();
  } finally {
    for (const [position, size] of sizes.entries()) await truncate(paths[position] ?? '', size);
  }
}

/** Page header: 24 bytes; pd_lower, pd_upper, pd_special are 16-bit at 12, 14, 16; pd_pagesize_version at 18. */
const HEADER = 24;
const OPAQUE = 16;
const LAYOUT_VERSION = 4;
const BTP_LEAF = 1;
const BTP_ROOT = 2;
/** INDEX_ALT_TID_MASK: the tuple id holds a downlink and, here, no key at all (minus infinity). */
const ALT_TID = 0x2000;
const PIVOT_BYTES = 8;

function emptyPage(special: number, lower: number, upper: number): Buffer {
  const page = Buffer.alloc(BLOCK);
  page.writeUInt16LE(lower, 12);
  page.writeUInt16LE(upper, 14);
  page.writeUInt16LE(special, 16);
  page.writeUInt16LE(BLOCK | LAYOUT_VERSION, 18);
  return page;
}

/** A leaf without tuples, or an inner page with a single downlink. */
function treePage(level: number, isRoot: boolean, child: number | null): Buffer {
  const special = BLOCK - OPAQUE;
  const page =
    child === null
      ? emptyPage(special, HEADER, special)
      : emptyPage(special, HEADER + 4, special - PIVOT_BYTES);
  if (child !== null) {
    const tuple = special - PIVOT_BYTES;
    // Line pointer: offset in 15 bits, flags 1 (LP_NORMAL) in two, length in 15.
    page.writeUInt32LE((tuple | (1 << 15) | (PIVOT_BYTES << 17)) >>> 0, HEADER);
    page.writeUInt16LE(child >>> 16, tuple);
    page.writeUInt16LE(child & 0xffff, tuple + 2);
    page.writeUInt16LE(0, tuple + 4);
    page.writeUInt16LE(PIVOT_BYTES | ALT_TID, tuple + 6);
  }
  page.writeUInt32LE(level, special + 8);
  page.writeUInt16LE((level === 0 ? BTP_LEAF : 0) | (isRoot ? BTP_ROOT : 0), special + 12);
  return page;
}

/**
 * Gives an empty B-tree the height of a real one. The server must not have its metapage in memory: it was stopped, or
 * the index was made just now and nothing has planned with it.
 * @param level levels above the leaves, as bt_metap() says.
 */
export async function raiseBtree(path: string, level: number, pages: number): Promise<void> {
  const total = Math.max(pages, level === 0 ? 2 : 3);
  await extendRelation(path, total);
  const file = await open(path, 'r+');
  try {
    const meta = Buffer.alloc(BLOCK);
    await file.read(meta, 0, BLOCK, 0);
    const magic = meta.readUInt32LE(HEADER);
    if (magic !== 0x053162) throw new Error(`${path} has no B-tree metapage`);
    // btm_root, btm_level, btm_fastroot, btm_fastlevel behind magic and version.
    meta.writeUInt32LE(1, HEADER + 8);
    meta.writeUInt32LE(level, HEADER + 12);
    meta.writeUInt32LE(1, HEADER + 16);
    meta.writeUInt32LE(level, HEADER + 20);
    await file.write(meta, 0, BLOCK, 0);
    await file.write(treePage(level, true, level === 0 ? null : 2), 0, BLOCK, BLOCK);
    if (level > 0) await file.write(treePage(0, false, null), 0, BLOCK, 2 * BLOCK);
  } finally {
    await file.close();
  }
}

/**
 * Levels above the leaves that a B-tree of so many pages has. An inner page holds a pivot of the key's width, rounded
 * up to 8 bytes, with 8 bytes of tuple header and 4 of line pointer, at fill factor 70 (BTREE_NONLEAF_FILLFACTOR).
 * @param keyBytes average width of the keys, bytes.
 */
export function estimateBtreeLevel(pages: number, keyBytes: number): number {
  const pivot = 12 + Math.ceil(Math.max(keyBytes, 1) / 8) * 8;
  const fanOut = Math.max(2, Math.floor(((BLOCK - HEADER - OPAQUE) * 0.7) / pivot));
  let level = 0;
  for (let width = Math.max(1, pages - 1); width > 1; width = Math.ceil(width / fanOut)) level += 1;
  return level;
}
