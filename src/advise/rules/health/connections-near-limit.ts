/** Connections near max_connections, or near a role's or database's own limit. */
import { quoteIdentifier, type RuleContext } from '../../../domain/index.ts';
import { type Found, healthRule, unseen, wasRead } from '../../health/check.ts';
import { percent } from '../../health/words.ts';
import { computed, measured, setting } from '../../settings/facts.ts';

const NEAR = 0.8;
const VERY_NEAR = 0.9;

export const rule = healthRule(
  'connections-near-limit',
  'Connections come near their limit',
  'Client sessions at once (the most of the window, otherwise of this moment) as a share of max_connections less what is ' +
    'reserved; and of the limits of roles and of this database. Medium from 80 %, high from 90 %. Not what max_connections ' +
    'should be: more connections than CPUs can serve want a pooler.',
  (context) => {
    const { snapshot, window } = context;
    if (!wasRead(context, 'activity') || snapshot.activity.groups.length === 0)
      return unseen('Sessions of all roles');
    const clients = snapshot.activity.groups.filter(({ backend_type }) => backend_type === 'client backend');
    const sum = (matches: (group: (typeof clients)[number]) => boolean) =>
      clients.filter(matches).reduce((total, group) => total + group.sessions, 0);
    const now = sum(() => true);
    const most = Math.max(now, window?.concurrency?.total_max ?? 0);
    const found: Found[] = server(context, most, most > now ? 'the most in the window' : 'this moment');
    for (const role of snapshot.instance?.roles ?? []) {
      if (role.connection_limit <= 0 || role.is_superuser) continue;
      const used = sum(({ user }) => user === role.name);
      found.push(
        ...near(
          `role ${role.name}`,
          `the role ${role.name}`,
          used,
          role.connection_limit,
          'pg_roles.rolconnlimit',
          `ALTER ROLE ${quoteIdentifier(role.name)} CONNECTION LIMIT …;  -- if more are wanted`,
        ),
      );
    }
    const database = snapshot.instance?.databases.find(({ name }) => name === snapshot.server.database);
    if (database && database.connection_limit > 0) {
      const used = sum((group) => group.database === database.name);
      found.push(
        ...near(
          `database ${database.name}`,
          `the database ${database.name}`,
          used,
          database.connection_limit,
          'pg_database.datconnlimit',
          `ALTER DATABASE ${quoteIdentifier(database.name)} CONNECTION LIMIT …;  -- if more are wanted`,
        ),
      );
    }
    return { found };
  },
);

function server(context: RuleContext, used: number, when: string): Found[] {
  const max = setting(context, 'max_connections');
  if (max === undefined) return [];
  // reserved_connections is new in 16.
  const reserved = ['superuser_reserved_connections', 'reserved_connections'].reduce(
    (total, name) => total + Number(setting(context, name)?.setting ?? 0),
    0,
  );
  const free = Number(max.setting) - reserved;
  return near(
    'max_connections',
    `the server (${when})`,
    used,
    free,
    'pg_settings: max_connections − reserved',
  );
}

/** @param own how a limit of a role or database is changed; absent: it is the server's. */
function near(
  object: string,
  whose: string,
  used: number,
  limit: number,
  source: string,
  own?: string,
): Found[] {
  const share = used / limit;
  if (share < NEAR) return [];
  return [
    {
      object,
      title: `${used} of ${limit} connections of ${whose} are taken`,
      rationale: own
        ? `At the limit its next client is refused (“too many connections for ${object.split(' ')[0]}”), whatever the server has left. Mostly idle connections of pools that are larger than needed.`
        : 'At the limit the next client is refused (“too many clients already”). Mostly idle connections of pools that are larger than needed: a pooler, or smaller pools, help more than a higher limit, which costs memory.',
      severity: share >= VERY_NEAR ? 'high' : 'medium',
      evidence: [
        measured('client sessions', used, 'sessions', 'pg_stat_activity'),
        measured('limit', limit, 'sessions', source),
        computed('share', share, 'share', `${used} ÷ ${limit} = ${percent(share)}`),
      ],
      remedy: [
        'SELECT usename, application_name, state, count(*) FROM pg_stat_activity GROUP BY 1, 2, 3 ORDER BY 4 DESC;',
        ...(own ? [own] : []),
      ],
    },
  ];
}
