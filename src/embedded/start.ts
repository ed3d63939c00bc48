/** From options to a running server: temporary, or on a directory that stays. */
import { realpath } from 'node:fs/promises';
import { resolve } from 'node:path';
import { PgLuthierError } from '../domain/index.ts';
import { type Account, serverAccount } from './account.ts';
import { binDirectory } from './binaries.ts';
import { directoryAccount, initCluster, inspectDirectory, unusable } from './cluster.ts';
import { type Claim, claim } from './owner.ts';
import { stopPostmaster } from './postmaster.ts';
import { createScratch, type Scratch, sweepOrphans } from './scratch.ts';
import { type EmbeddedOptions, type EmbeddedServer, Server, type ServerParts, SUPERUSER } from './server.ts';
import { copyCluster } from './template.ts';

async function claimDirectory(dataDirectory: string): Promise<Claim> {
  const claimed = await claim(`${dataDirectory}.owner`).catch((error: unknown) => {
    throw unusable(dataDirectory, error);
  });
  if (claimed) return claimed;
  throw new PgLuthierError({
    code: 'embedded_in_use',
    status: 409,
    message: `Another running PgLuthier process uses ${dataDirectory}.`,
    remedy: `Stop that process (its id is in ${dataDirectory}.owner), or choose another data directory.`,
  });
}

/**
 * Starts a PostgreSQL server from the npm packages and waits until it answers. It ends with `stop()`, or soon after
 * this process, however that ends.
 * @throws PgLuthierError `embedded_major_unavailable`, `embedded_not_runnable`, `embedded_init_failed`,
 * `embedded_start_failed` (with the end of the server's log), `embedded_setting_invalid`, `embedded_scratch_unsafe`;
 * with a data directory also `embedded_in_use`, `embedded_version_mismatch`, `embedded_directory_not_empty`,
 * `embedded_directory_unreachable`.
 */
export async function startEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedServer> {
  const major = options.installation?.major ?? options.major ?? 18;
  const bin = options.installation ? await options.installation.bin() : await binDirectory(major);
  await sweepOrphans();
  return options.dataDirectory === undefined
    ? startTemporary(options, major, bin)
    : startPersistent(options, major, bin, resolve(options.dataDirectory));
}

async function startTemporary(options: EmbeddedOptions, major: number, bin: string): Promise<EmbeddedServer> {
  const account = serverAccount();
  const scratch = await createScratch(options.name ?? `pg${major}`, account, options.light === 'memory');
  try {
    await makeCluster(options, { major, bin, account, directory: scratch.data });
    return await bootServer({
      options,
      major,
      bin,
      account,
      scratch,
      claimed: null,
      dataDirectory: scratch.data,
    });
  } catch (error) {
    await scratch.remove();
    throw error;
  }
}

async function startPersistent(
  options: EmbeddedOptions,
  major: number,
  bin: string,
  given: string,
): Promise<EmbeddedServer> {
  const account = await directoryAccount(given, serverAccount());
  await inspectDirectory(given, major, account);
  // One name for one directory, else two claims could stand side by side.
  const dataDirectory = await realpath(given);
  const claimed = await claimDirectory(dataDirectory);
  let scratch: Scratch | null = null;
  try {
    scratch = await createScratch(options.name ?? `pg${major}`, account);
    // Looked at again: another process may have filled it before our claim. A left-over server is ours to stop.
    const found = await inspectDirectory(dataDirectory, major, account);
    await stopPostmaster(dataDirectory, 'fast');
    if (found === 'absent') await makeCluster(options, { major, bin, account, directory: dataDirectory });
    return await bootServer({ options, major, bin, account, scratch, claimed, dataDirectory });
  } catch (error) {
    await scratch?.remove();
    await claimed.release();
    throw error;
  }
}

function makeCluster(
  options: EmbeddedOptions,
  place: { major: number; bin: string; account: Account | null; directory: string },
): Promise<void> {
  const cluster = {
    ...place,
    superuser: SUPERUSER,
    initdbArgs: options.initdbArgs ?? [],
    durable: options.dataDirectory !== undefined,
  };
  return options.light ? copyCluster(cluster) : initCluster(cluster);
}

async function bootServer(parts: ServerParts): Promise<EmbeddedServer> {
  const server = new Server(parts);
  try {
    await server.boot();
    return server;
  } catch (error) {
    await server.stop('immediate');
    throw error;
  }
}
