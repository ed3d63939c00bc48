/** The layout of a snapshot file: what docs/snapshot-file.md tells people, as code. */
import { z } from 'zod';
import type { FastSnapshot, Snapshot } from '../domain/index.ts';

export const FORMAT = 'pgluthier-snapshot';
/** Raised when an older reader would misunderstand a file; a new optional field does not raise it. */
export const FORMAT_VERSION = 1;
/** Rows of a noun in one line: a line stays far below V8's longest string (about 512 MB). */
export const ROWS_PER_LINE = 200;
/** Decompressed content at most, bytes: 10,000 tables with their statistics take about 200 MB. */
export const MAX_CONTENT_BYTES = 2 * 1024 ** 3;
/** One line at most, bytes. */
export const MAX_LINE_BYTES = 64 * 1024 ** 2;

export const stripModes = ['literals', 'none'] as const;
export type StripMode = (typeof stripModes)[number];

export const headerSchema = z.object({
  format: z.literal(FORMAT),
  format_version: z.literal(FORMAT_VERSION),
  pgluthier_version: z.string(),
  written_at: z.iso.datetime(),
  /** What a report calls the target. */
  target: z.string(),
  /** Null: nothing was taken out. */
  stripped: z
    .object({ mode: z.literal('literals'), removed: z.array(z.string()), kept: z.array(z.string()) })
    .nullable(),
});
export type SnapshotFileHeader = z.infer<typeof headerSchema>;

export const chunkSchema = z.union([
  z.strictObject({
    part: z.enum(['snapshot', 'first']),
    noun: z.string(),
    rows: z.array(z.unknown()),
  }),
  z.strictObject({ part: z.enum(['snapshot', 'first']), noun: z.string(), value: z.unknown() }),
]);

/** The last line: without it the file is cut off. */
export const endSchema = z.strictObject({
  end: z.literal(true),
  lines: z.number().int(),
  /** SHA-256, hex, of all bytes before this line. */
  sha256: z.string(),
});

/** What a file holds. */
export interface SnapshotFile {
  header: SnapshotFileHeader;
  snapshot: Snapshot;
  /** The start of a window that ends with `snapshot`; null: there is none. */
  first: FastSnapshot | null;
}
