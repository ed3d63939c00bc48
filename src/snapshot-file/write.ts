/** Writes a snapshot file: complete under its name, or not there at all. */
import { createHash, randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { link, rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { PgLuthierError } from '../domain/index.ts';
import { headerSchema, ROWS_PER_LINE, type SnapshotFile } from './format.ts';

function* chunks(part: string, prefix: string, object: object): Generator<string> {
  for (const [key, value] of Object.entries(object)) {
    const noun = `${prefix}${key}`;
    if (noun === 'schema') yield* chunks(part, 'schema.', value);
    else if (Array.isArray(value)) {
      for (let from = 0; from === 0 || from < value.length; from += ROWS_PER_LINE) {
        yield JSON.stringify({ part, noun, rows: value.slice(from, from + ROWS_PER_LINE) });
      }
    } else if (value !== undefined) yield JSON.stringify({ part, noun, value });
  }
}

function* lines(file: SnapshotFile): Generator<string> {
  const hash = createHash('sha256');
  let count = 0;
  const line = (text: string) => {
    const whole = `${text}\n`;
    hash.update(whole);
    count += 1;
    return whole;
  };
  yield line(JSON.stringify(headerSchema.parse(file.header)));
  for (const text of chunks('snapshot', '', file.snapshot)) yield line(text);
  if (file.first) for (const text of chunks('first', '', file.first)) yield line(text);
  yield `${JSON.stringify({ end: true, lines: count, sha256: hash.digest('hex') })}\n`;
}

/**
 * Writes the file, readable by its owner only.
 * @param options.force replaces a file that is there.
 * @throws PgLuthierError `snapshot_file_exists`, `snapshot_file_unwritable`.
 */
export async function writeSnapshotFile(
  path: string,
  file: SnapshotFile,
  options: { force?: boolean } = {},
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    await pipeline(
      Readable.from(lines(file)),
      createGzip(),
      createWriteStream(temporary, { flags: 'wx', mode: 0o600, flush: true }),
    );
    if (options.force) await rename(temporary, path);
    // A link, unlike a rename, fails where the name is taken, even by a file made a moment ago.
    else await link(temporary, path);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (code === 'EEXIST') {
      throw new PgLuthierError({
        code: 'snapshot_file_exists',
        status: 409,
        message: `There is a file ${path} already.`,
        remedy: 'Choose another name, or replace it with --force.',
      });
    }
    if (code === '') throw cause;
    throw new PgLuthierError({
      code: 'snapshot_file_unwritable',
      status: 422,
      message: `The file ${path} cannot be written (${code}).`,
      remedy: 'Check that the folder is there and may be written to, and that the disk has room.',
      cause,
    });
  } finally {
    await rm(temporary, { force: true });
  }
}
