/** maintenance_io_concurrency from the disk type, up to 17. */
import type { Rule } from '../../../domain/index.ts';
import { diskBaseline } from '../../settings/baseline.ts';
import { diskInput, isLimit, limited, rejected, setting, settingNotVisible } from '../../settings/facts.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'settings/maintenance-io-concurrency';
const NAME = 'maintenance_io_concurrency';

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Maintenance reads too few pages ahead',
  description:
    'As effective_io_concurrency, for ANALYZE and recovery: 200 and more for disks without moving parts (pgconfig gives both the same). ' +
    'Quiet from 18 on, for spinning disks, and on platforms that cannot read ahead.',
  evaluate: (context) => {
    const row = setting(context, NAME);
    if (!row) return limited(settingNotVisible(NAME));
    const reject = (code: string, reason: string) => rejected({ rule: ID, candidate: NAME, code, reason });
    const major = Math.floor(context.snapshot.server.server_version_num / 10_000);
    if (row.boot_val === '0' || row.max_val === '0') {
      return reject('platform_unsupported', 'the platform of this server cannot read ahead');
    }
    if (major >= 18)
      return reject('default_is_sound', `${row.setting} is left alone without evidence of I/O waits`);
    const disk = diskInput(context);
    if (isLimit(disk)) return limited(disk);
    const wanted = diskBaseline(disk.type, major).effective_io_concurrency;
    if (!wanted) return reject('default_is_sound', `nothing is known against ${row.setting}`);
    return propose(context, {
      rule: ID,
      name: NAME,
      value: wanted.value,
      formula: wanted.formula,
      why: `ANALYZE and recovery ask ${disk.type} disks for ${row.setting} pages ahead; they serve more at once.`,
      unless: 'A database that is cached gains nothing by it.',
      severity: 'info',
      confidence: 0.5,
      direction: 'raise',
      observed: false,
      evidence: [disk.evidence],
    });
  },
};
