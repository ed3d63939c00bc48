/** From a target's id to a session on its database. */
import { readFile } from 'node:fs/promises';
import { PgLuthierError } from '../domain/index.ts';
import { dsnWithDatabase, openTarget, type SessionOptions, type TargetSession } from '../target/index.ts';
import type { Services } from './services.ts';

/**
 * A DSN as the operator gave it: `env:NAME`, `file:/path`, or the DSN itself.
 * @throws PgLuthierError `dsn_reference_unresolved` when the reference leads nowhere; the DSN is never part of it.
 */
export async function resolveDsn(
  given: string,
  environmentVariable: (name: string) => string | undefined,
): Promise<string> {
  if (given.startsWith('env:')) {
    const name = given.slice('env:'.length);
    const value = environmentVariable(name);
    if (value) return value;
    throw new PgLuthierError({
      code: 'dsn_reference_unresolved',
      status: 422,
      message: `The environment variable ${name} that should hold the DSN is not set.`,
      remedy: `Set ${name} in the service's environment and restart it.`,
    });
  }
  if (given.startsWith('file:')) {
    const path = given.slice('file:'.length);
    try {
      return (await readFile(path, 'utf8')).trim();
    } catch (cause) {
      throw new PgLuthierError({
        code: 'dsn_reference_unresolved',
        status: 422,
        message: `The file ${path} that should hold the DSN cannot be read.`,
        remedy: 'Check the path and that the service may read the file.',
        cause,
      });
    }
  }
  return given;
}

/**
 * The target's DSN, unsealed or looked up anew (passwords are changed behind references), with the target's own
 * database. A secret: hand it on, never print it.
 */
export async function targetDsn(services: Services, targetId: string): Promise<string> {
  const source = await services.store.targets.getDsnSource(targetId);
  const { database_name } = await services.store.targets.get(targetId);
  const dsn = await (source.kind === 'sealed'
    ? source.dsn
    : resolveDsn(
        source.kind === 'env' ? `env:${source.name}` : `file:${source.path}`,
        services.environmentVariable,
      ));
  return database_name === null ? dsn : dsnWithDatabase(dsn, database_name);
}

/** What a session that reads may be told beyond its purpose. */
type ReadSessionOptions = Pick<SessionOptions, 'signal' | 'statementTimeoutMs' | 'connectTimeoutMs'>;

/** Runs `work` in one session of the target that can only read, and closes it whatever happens. */
export async function withReadSession<T>(
  dsn: string,
  purpose: string,
  work: (session: TargetSession) => Promise<T>,
  options: ReadSessionOptions = {},
): Promise<T> {
  const session = await openTarget(dsn, {
    ...options,
    applicationName: `pgluthier:${purpose}`,
    readOnly: true,
  });
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

/** The job's end gives up the connection, as does what its session itself has for a reason. */
export function endedBy(signal: AbortSignal | undefined, options: SessionOptions): SessionOptions {
  const both = [options.signal, signal].filter((one) => one !== undefined);
  return both.length === 0 ? options : { ...options, signal: AbortSignal.any(both) };
}
