/** effective_io_concurrency from the disk type. */
import type { Rule } from '../../../domain/index.ts';
import { baselineOf, diskInput, hostInputs, measured, setting } from '../../settings/facts.ts';
import { limited, propose } from '../../settings/propose.ts';

const ID = 'settings/effective-io-concurrency';
/** From 18 on the built-in default (16) serves asynchronous reads well; only evidence should change it. */
const GOOD_DEFAULT_SINCE = 180000;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'effective_io_concurrency does not fit the disks',
  description:
    'How many reads a bitmap scan asks for ahead: 200 and more for solid-state disks, 2 for spinning ones. Quiet from ' +
    'PostgreSQL 18 on, whose default of 16 is left alone, and where the server does not support it.',
  evaluate: (context) => {
    const host = hostInputs(context, ID);
    if ('code' in host) return limited(host);
    const disk = diskInput(context, ID);
    if ('code' in disk) return limited(disk);
    const row = setting(context, 'effective_io_concurrency');
    if (context.snapshot.server.server_version_num >= GOOD_DEFAULT_SINCE || row?.max_val === '0') {
      const reason =
        row?.max_val === '0'
          ? 'the platform does not support it'
          : 'the default of 18 is left alone without evidence of I/O waits';
      return {
        recommendations: [],
        rejections: [{ rule: ID, candidate: 'effective_io_concurrency', code: 'default_is_good', reason }],
        limits: [],
      };
    }
    const { baseline } = baselineOf(context, host, disk.disk_type);
    return propose(context, {
      rule: ID,
      name: 'effective_io_concurrency',
      value: baseline.effective_io_concurrency.value,
      formula: baseline.effective_io_concurrency.formula,
      why: `Bitmap scans ask ${disk.disk_type} for more pages ahead than one at a time.`,
      severity: 'low',
      confidence: 0.6,
      direction: 'raise',
      observed: false,
      evidence: [
        ...disk.evidence,
        measured('server version', context.snapshot.server.server_version, null, 'server_version'),
      ],
    });
  },
};
