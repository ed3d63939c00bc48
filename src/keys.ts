/** The service's own secrets in its data directory: the key that seals DSNs, and the token's hash. */
import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from './config.ts';
import { PgLuthierError } from './domain/index.ts';

/** Makes the data directory, closed to others. The embedded store's own folder inside it is opened to its account alone. */
export async function prepareDataDirectory(config: Config): Promise<void> {
  try {
    await mkdir(config.data_dir, { recursive: true, mode: 0o711 });
    // Passing through is allowed (the embedded server runs under another account when we are root), listing is not.
    await chmod(config.data_dir, 0o711);
  } catch (cause) {
    throw new PgLuthierError({
      code: 'data_dir_unusable',
      status: 500,
      message: `The data directory ${config.data_dir} cannot be made or written.`,
      remedy: 'Set PGLUTHIER_DATA_DIR to a directory that this user may write.',
      cause,
    });
  }
}

async function readIfThere(path: string): Promise<Buffer | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Creates the file only if nobody else has meanwhile; returns what it then holds. */
async function createOnce(path: string, content: Buffer): Promise<Buffer> {
  try {
    await writeFile(path, content, { mode: 0o600, flag: 'wx' });
    return content;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return readFile(path);
  }
}

/** The key that seals DSNs: configured, or made once and kept in the data directory. */
export async function secretKey(config: Config): Promise<Buffer> {
  if (config.secret_key) return config.secret_key;
  const path = join(config.data_dir, 'secret.key');
  const key = (await readIfThere(path)) ?? (await createOnce(path, randomBytes(32)));
  if (key.length !== 32) {
    throw new PgLuthierError({
      code: 'secret_key_invalid',
      status: 500,
      message: `${path} does not hold 32 bytes.`,
      remedy: 'Restore it from a backup, or set PGLUTHIER_SECRET_KEY; without it sealed DSNs cannot be read.',
    });
  }
  return key;
}

export interface ApiToken {
  /** SHA-256 of the token. */
  hash: Buffer;
  /** The token itself, only when it was made just now: the one chance to print it. */
  fresh: string | null;
}

/** The API's token: configured, or made at the first start; only its hash is kept. */
export async function apiToken(config: Config): Promise<ApiToken> {
  const sha256 = (text: string) => createHash('sha256').update(text).digest();
  if (config.token) return { hash: sha256(config.token), fresh: null };
  const path = join(config.data_dir, 'api-token.sha256');
  const kept = await readIfThere(path);
  if (kept) return { hash: Buffer.from(kept.toString('utf8').trim(), 'hex'), fresh: null };
  const token = `pgl_${randomBytes(24).toString('base64url')}`;
  const written = await createOnce(path, Buffer.from(`${sha256(token).toString('hex')}\n`));
  const hash = Buffer.from(written.toString('utf8').trim(), 'hex');
  return { hash, fresh: hash.equals(sha256(token)) ? token : null };
}
