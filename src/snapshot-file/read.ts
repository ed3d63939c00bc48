/** Reads a snapshot file line by line, and believes nothing of it before it was checked. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { z } from 'zod';
import { PgLuthierError } from '../domain/index.ts';
import {
  chunkSchema,
  endSchema,
  FORMAT,
  FORMAT_VERSION,
  headerSchema,
  MAX_CONTENT_BYTES,
  MAX_LINE_BYTES,
  type SnapshotFile,
} from './format.ts';
import { fastSchema, snapshotSchema } from './schema.ts';

function fail(path: string, code: string, what: string, remedy: string, cause?: unknown): never {
  throw new PgLuthierError({ code, status: 422, message: `${path}: ${what}`, remedy, cause });
}

const EXPORT_AGAIN = 'Write it again with pgluthier export, or copy it again.';

/** Lines as bytes, their newline left out. Never holds more than one line and one block of the stream. */
async function* contentLines(path: string, maxBytes: number): AsyncGenerator<Buffer> {
  const file = createReadStream(path);
  const content = createGunzip();
  file.on('error', (error) => content.destroy(error));
  file.pipe(content);
  let total = 0;
  let held: Buffer[] = [];
  let heldBytes = 0;
  try {
    for await (const block of content as AsyncIterable<Buffer>) {
      total += block.length;
      let from = 0;
      for (let at = block.indexOf(10); at >= 0; at = block.indexOf(10, from)) {
        yield Buffer.concat([...held, block.subarray(from, at)]);
        held = [];
        heldBytes = 0;
        from = at + 1;
      }
      held.push(block.subarray(from));
      heldBytes += block.length - from;
      if (total > maxBytes || heldBytes > MAX_LINE_BYTES) {
        fail(
          path,
          'snapshot_file_too_large',
          `its content is over the limit of ${maxBytes} bytes in all or ${MAX_LINE_BYTES} bytes a line.`,
          'A file of pgluthier export does not get there: check where this one is from.',
        );
      }
    }
  } catch (error) {
    if (error instanceof PgLuthierError) throw error;
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    if (code === 'Z_BUF_ERROR') fail(path, 'snapshot_file_truncated', 'the file is cut off.', EXPORT_AGAIN);
    if (code === 'Z_DATA_ERROR' && total === 0) notOurs(path);
    if (code.startsWith('Z_'))
      fail(path, 'snapshot_file_damaged', 'its compressed data is damaged.', EXPORT_AGAIN);
    fail(path, 'snapshot_file_unreadable', `it cannot be read (${code}).`, 'Check the path.', error);
  } finally {
    file.destroy();
    content.destroy();
  }
  if (heldBytes > 0) fail(path, 'snapshot_file_truncated', 'its last line is cut off.', EXPORT_AGAIN);
}

function notOurs(path: string): never {
  fail(
    path,
    'snapshot_file_unknown',
    'this is no snapshot file.',
    'Give a file that pgluthier export wrote.',
  );
}

function parseJson(path: string, line: Buffer, number: number): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch {
    if (number === 1) notOurs(path);
    fail(path, 'snapshot_file_damaged', `line ${number} is no JSON.`, EXPORT_AGAIN);
  }
}

/** The value in the schema's shape, or an error that names the first field that is not. */
function shaped<T>(path: string, what: string, schema: z.ZodType<T>, value: unknown): T {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  const field = [what, ...(issue?.path ?? [])].join('.');
  fail(path, 'snapshot_file_invalid', `${field}: ${issue?.message ?? 'wrong shape'}`, EXPORT_AGAIN);
}

function checkHeader(path: string, value: unknown): SnapshotFile['header'] {
  const seen = z.looseObject({ format: z.literal(FORMAT), format_version: z.number() }).safeParse(value);
  if (!seen.success) notOurs(path);
  if (seen.data.format_version > FORMAT_VERSION) {
    fail(
      path,
      'snapshot_file_too_new',
      `its format version is ${seen.data.format_version}; this PgLuthier reads up to ${FORMAT_VERSION}.`,
      'Read it with the PgLuthier that wrote it, or a newer one.',
    );
  }
  return shaped(path, 'header', headerSchema, value);
}

type Parts = Record<'snapshot' | 'first', Map<string, unknown>>;

function keep(path: string, parts: Parts, value: unknown): void {
  const chunk = shaped(path, 'line', chunkSchema, value);
  const nouns = parts[chunk.part];
  if ('rows' in chunk) {
    const rows = nouns.get(chunk.noun);
    // Pushed one by one: a spread of many rows overflows the stack.
    if (Array.isArray(rows)) for (const row of chunk.rows) rows.push(row);
    else nouns.set(chunk.noun, chunk.rows);
  } else nouns.set(chunk.noun, chunk.value);
}

function assembled(nouns: Map<string, unknown>): Record<string, unknown> {
  const plain: [string, unknown][] = [];
  const schema: [string, unknown][] = [];
  for (const [noun, value] of nouns) {
    if (noun.startsWith('schema.')) schema.push([noun.slice('schema.'.length), value]);
    else plain.push([noun, value]);
  }
  return Object.fromEntries(schema.length > 0 ? [...plain, ['schema', Object.fromEntries(schema)]] : plain);
}

/**
 * Reads and checks a file.
 * @param options.maxBytes content at most, decompressed; default MAX_CONTENT_BYTES.
 * @throws PgLuthierError `snapshot_file_unreadable`, `snapshot_file_unknown` (not one), `snapshot_file_truncated`,
 * `snapshot_file_damaged`, `snapshot_file_hash`, `snapshot_file_too_new`, `snapshot_file_invalid` (with the first
 * wrong field), `snapshot_file_too_large`.
 */
export async function readSnapshotFile(
  path: string,
  options: { maxBytes?: number } = {},
): Promise<SnapshotFile> {
  const hash = createHash('sha256');
  const parts: Parts = { snapshot: new Map(), first: new Map() };
  let header: SnapshotFile['header'] | null = null;
  let number = 0;
  let ended = false;
  for await (const line of contentLines(path, options.maxBytes ?? MAX_CONTENT_BYTES)) {
    number += 1;
    if (ended) fail(path, 'snapshot_file_damaged', 'there is more behind its end.', EXPORT_AGAIN);
    const value = parseJson(path, line, number);
    if (header === null) header = checkHeader(path, value);
    else if (typeof value === 'object' && value !== null && 'end' in value) {
      const end = shaped(path, 'end', endSchema, value);
      if (end.lines !== number - 1 || end.sha256 !== hash.digest('hex')) {
        fail(path, 'snapshot_file_hash', 'its content is not what was written (SHA-256).', EXPORT_AGAIN);
      }
      ended = true;
      continue;
    } else keep(path, parts, value);
    hash.update(line).update('\n');
  }
  if (header === null) notOurs(path);
  if (!ended) fail(path, 'snapshot_file_truncated', 'its last line is missing.', EXPORT_AGAIN);
  const snapshot = shaped(path, 'snapshot', snapshotSchema, assembled(parts.snapshot));
  const first = parts.first.size === 0 ? null : shaped(path, 'first', fastSchema, assembled(parts.first));
  return { header, snapshot: timed(snapshot), first: first && timed(first) };
}

/** Early files do not say when they were collected by our clock. */
function timed<T extends { taken_at: string; collected_at?: string }>(part: T): T & { collected_at: string } {
  return { ...part, collected_at: part.collected_at ?? part.taken_at };
}
