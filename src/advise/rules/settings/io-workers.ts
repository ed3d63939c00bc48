/** io_workers (18): more where sessions wait for asynchronous reads. */
import type { Rule } from '../../../domain/index.ts';
import { measured, rejected, setting } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'settings/io-workers';
const NAME = 'io_workers';
const MOST = 32;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Sessions wait for the processes that read for them',
  description:
    'On 18 with io_method = worker: a quarter of the CPUs (at least 3, at most 32; pgtune), or twice as many as now within half of the ' +
    'CPUs, where at the snapshot more sessions waited for asynchronous reads (AioIoCompletion) than there are workers. Quiet otherwise, with io_uring, which has none, and on 19, which ' +
    'starts workers by need.',
  evaluate: (context) => {
    const { snapshot } = context;
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const row = setting(context, NAME);
    const method = setting(context, 'io_method')?.setting;
    if (!row || snapshot.server.server_version_num < 180000) {
      return reject('not_in_version', 'this version has no such setting');
    }
    if (method !== 'worker') return reject('no_workers', `io_method is ${method ?? 'not visible'}`);
    const cpus = snapshot.host.cpu_count;
    if (cpus.value === null) return reject('host_unknown', `the host's CPUs are not known (${cpus.source})`);
    const waiting = snapshot.activity.groups
      .filter(({ wait_event }) => wait_event === 'AioIoCompletion')
      .reduce((sum, { sessions }) => sum + sessions, 0);
    const present = Number(row.setting);
    if (waiting <= present) {
      return reject(
        'few_wait',
        `${waiting} session(s) waited for asynchronous reads at the snapshot, ${present} workers read`,
      );
    }
    const value = Math.min(
      MOST,
      Math.max(3, Math.floor(cpus.value / 4), Math.min(2 * present, Math.ceil(cpus.value / 2))),
    );
    return propose(context, {
      rule: ID,
      name: NAME,
      value,
      formula: `max(${cpus.value} CPUs / 4; 2 × ${present} within half of the CPUs; 3), at most ${MOST}`,
      why: `${waiting} sessions waited for reads that ${present} workers do for all of them.`,
      unless: 'Disks that are saturated answer no faster with more workers: look at their queue first.',
      severity: 'low',
      confidence: 0.5,
      direction: 'raise',
      observed: true,
      evidence: [
        measured('sessions waiting for AioIoCompletion', waiting, 'sessions', 'pg_stat_activity'),
        measured('CPUs of the host', cpus.value, 'CPUs', cpus.source),
      ],
    });
  },
};
