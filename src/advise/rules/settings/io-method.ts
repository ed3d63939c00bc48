/** io_method (18): asynchronous reads, but none that may keep the server from starting. */
import type { Rule } from '../../../domain/index.ts';
import { limited, measured, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'settings/io-method';
const NAME = 'io_method';
/** Sessions that wait for reads at one moment: what somebody chose is questioned from here on. */
const SEVERAL = 4;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Reads wait one by one',
  description:
    'From 18 on: worker, the default, where it is sync. io_uring is never proposed: the server does not start with it where the kernel ' +
    '(kernel.io_uring_disabled), the container runtime’s seccomp profile or a limit of locked memory refuses it, none of which SQL shows.',
  evaluate: (context) => {
    if (context.snapshot.server.server_version_num < 180000) {
      return rejected({ rule: ID, candidate: NAME, code: 'not_in_version', reason: 'it came with 18' });
    }
    const row = setting(context, NAME);
    if (!row) return limited(settingNotVisible(NAME));
    if (row.setting !== 'sync') {
      const reason =
        row.setting === 'worker' && row.enumvals?.includes('io_uring')
          ? 'it is worker; io_uring is built in, but whether this host lets it be used cannot be seen, and the server would not start where it does not'
          : `it is ${row.setting}`;
      return rejected({ rule: ID, candidate: NAME, code: 'as_wanted', reason });
    }
    const waiting = context.snapshot.activity.groups
      .filter(({ wait_event }) => wait_event === 'DataFileRead')
      .reduce((sum, { sessions }) => sum + sessions, 0);
    return propose(context, {
      rule: ID,
      name: NAME,
      value: 'worker',
      formula: "PostgreSQL's default since 18",
      why: 'With sync each read of a scan waits for the one before it; workers read ahead.',
      unless: 'A database that is cached wholly gains nothing; a measured loss was a reason to set sync.',
      severity: 'low',
      confidence: 0.5,
      direction: 'either',
      observed: waiting > SEVERAL,
      evidence: [
        measured('sessions waiting for a read', waiting, 'sessions', 'pg_stat_activity: DataFileRead'),
      ],
      notes: ['worker starts on every host.'],
      byHand: 'PgLuthier does not write it: it is read at start only.',
    });
  },
};
