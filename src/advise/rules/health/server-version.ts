/** A server without the fixes that exist, or that gets none any more. */
import { healthRule } from '../../health/check.ts';
import { DAY } from '../../health/words.ts';
import { measured } from '../../settings/facts.ts';

/** Day of the last releases that stand in KNOWN; minors come in February, May, August and November. */
const KNOWN_AT = '2026-05-14';
/** A quarter and a month: then a later minor is out, and this list is too old to say that there is none. */
const OLD_DAYS = 120;

/**
 * Last minor release that was known at KNOWN_AT, and the day on which fixes for the major end (the versioning policy of
 * postgresql.org). A later minor than this is not known here: the finding says “at least”.
 */
const KNOWN: Record<number, { minor: number; ends: string }> = {
  14: { minor: 23, ends: '2026-11-12' },
  15: { minor: 18, ends: '2027-11-11' },
  16: { minor: 14, ends: '2028-11-09' },
  17: { minor: 10, ends: '2029-11-08' },
  18: { minor: 4, ends: '2030-11-14' },
};

export const rule = healthRule(
  'server-version',
  'The server is old',
  'Medium where the major gets no more fixes, by the date of the versioning policy at the time of the snapshot; info within half a ' +
    'year before. Low where a later minor is known to this version of PgLuthier (it cannot know of all: the finding says “at ' +
    'least”); where that list is older than 120 days and knows no later one, a limit says so with its date. Managed services name their own minors: there only the major is looked at.',
  ({ snapshot }) => {
    const { server_version_num, managed_service } = snapshot.server;
    const major = Math.floor(server_version_num / 10_000);
    const minor = server_version_num % 10_000;
    const known = KNOWN[major];
    if (known === undefined) return {};
    const evidence = [measured('server_version_num', server_version_num, null, 'pg_settings')];
    const left = Math.floor((Date.parse(known.ends) - Date.parse(snapshot.taken_at)) / DAY);
    const ends = measured(
      'fixes end',
      known.ends,
      null,
      'versioning policy, postgresql.org/support/versioning',
    );
    const remedy = ['pg_upgrade --link, or logical replication into a new server, after a trial on a copy.'];
    const found = [];
    if (left < 183) {
      found.push({
        object: `major ${major}`,
        title:
          left < 0
            ? `PostgreSQL ${major} gets no fixes since ${known.ends}`
            : `PostgreSQL ${major} gets no fixes from ${known.ends} on (${left} days)`,
        rationale:
          'Holes and errors that are found from then on stay in it. A new major wants a trial with your own statements: plan it in time.',
        severity: left < 0 ? ('medium' as const) : ('info' as const),
        evidence: [...evidence, ends],
        remedy,
      });
    }
    if (minor < known.minor && managed_service === null) {
      found.push({
        object: `minor of ${major}`,
        title: `PostgreSQL ${major}.${minor} runs; ${major}.${known.minor} at least is out`,
        rationale:
          'Minor releases hold fixes only (security, lost data, wrong results), and need new binaries and a restart, no dump. Some ask for a step by hand: read their notes.',
        severity: 'low' as const,
        evidence: [
          ...evidence,
          measured(
            'later minor',
            `${major}.${known.minor}`,
            null,
            `list of releases in this version of PgLuthier, of ${KNOWN_AT}`,
          ),
        ],
        remedy: ['Update the packages and restart, standbys first.'],
        needs: 'restart' as const,
      });
    }
    const listAge = (Date.parse(snapshot.taken_at) - Date.parse(KNOWN_AT)) / DAY;
    if (found.length > 0 || managed_service !== null || listAge < OLD_DAYS) return { found };
    return {
      limits: [
        {
          code: 'releases_not_known',
          message: `Whether ${major}.${minor} is the latest minor is not known: the list of releases here is of ${KNOWN_AT}, and new ones come each quarter.`,
          remedy: 'See postgresql.org/support/versioning, or install a newer PgLuthier.',
        },
      ],
    };
  },
);
