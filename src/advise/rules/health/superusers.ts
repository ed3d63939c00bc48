/** Who may do everything, and applications that do. */
import { type Found, healthRule, unseen } from '../../health/check.ts';
import { measured } from '../../settings/facts.ts';

/** The role that initdb makes (BOOTSTRAP_SUPERUSERID of pg_authid.dat). */
const BOOTSTRAP = 10;
const MANY = 3;
/** As many sessions of one role at once are a pool, not a person. */
const POOL = 5;

export const rule = healthRule(
  'superusers',
  'Many superusers, or an application that is one',
  "Medium for a superuser that has 5 client sessions at once, under an application name other than those of the server's own " +
    'tools: an application. Info from three superusers that may log in, the one of initdb aside. Quiet on managed services, whose ' +
    "superusers are the provider's.",
  (context) => {
    const { snapshot } = context;
    if (snapshot.instance === undefined) return unseen('Roles');
    if (snapshot.server.managed_service !== null) return {};
    const superusers = snapshot.instance.roles.filter((role) => role.is_superuser && role.can_login);
    const found: Found[] = superusers.flatMap((role) => {
      const groups = snapshot.activity.groups.filter(
        (group) =>
          group.backend_type === 'client backend' &&
          group.user === role.name &&
          !/^(pg_|psql$|pgluthier)/i.test(group.application_name ?? ''),
      );
      const sessions = groups.reduce((sum, group) => sum + group.sessions, 0);
      if (sessions < POOL) return [];
      const names = [...new Set(groups.map((group) => group.application_name ?? '(no name)'))];
      return [
        {
          object: `application ${role.name}`,
          title: `An application works as the superuser ${role.name} (${sessions} sessions)`,
          rationale:
            'Whoever gets into it, by SQL injection as well, may read every file, run programs on the host and switch off each check; row-level security, timeouts of roles and reserved connections do not bind it.',
          severity: 'medium',
          evidence: [
            measured('client sessions', sessions, 'sessions', 'pg_stat_activity'),
            measured('applications', names.slice(0, 5).join(', '), null, 'pg_stat_activity.application_name'),
            measured('superuser', true, null, 'pg_roles.rolsuper'),
          ],
          remedy: [
            'A role of its own that owns its schema, with LOGIN and nothing more; another for migrations.',
          ],
        },
      ];
    });
    const more = superusers.filter(({ oid }) => oid !== BOOTSTRAP);
    if (more.length >= MANY) {
      found.push({
        object: 'count',
        title: `${more.length} superusers may log in besides the first one`,
        rationale:
          'Each is a key to everything. Backups, monitoring and replication need none: pg_monitor, pg_read_all_data, pg_checkpoint (15) and REPLICATION are enough.',
        severity: 'info',
        evidence: more.slice(0, 20).map((role) => measured(role.name, 'superuser, login', null, 'pg_roles')),
        remedy: ['ALTER ROLE … NOSUPERUSER; after GRANT of the predefined roles that it needs.'],
      });
    }
    return { found };
  },
);
