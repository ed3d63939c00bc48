/** What an applied change gained, by the target's own counters: the window before it against the window after it. */
import { type Judgement, judgement, type VerifyInput } from './judgement.ts';
import { verifyIndexCreate } from './verify-create.ts';
import { verifyIndexDrop } from './verify-drop.ts';
import { verifyAnalyze, verifyVacuum } from './verify-maintenance.ts';
import { verifyReloptions } from './verify-reloptions.ts';
import { verifyReindex, verifyStatistics } from './verify-repair.ts';
import { verifyScopedSetting } from './verify-scoped-setting.ts';
import { verifySetting } from './verify-setting.ts';

/**
 * Judges a change. Statements: Welch's test on interval means, at least 30 calls on both sides, p < 0.01 after Holm's
 * correction, an effect of at least 10 %; statements that the change does not concern take out what got slower or
 * faster altogether. Settings and storage parameters by what they are to move (spills, requested checkpoints, dead
 * rows, …), with the same bars; VACUUM and ANALYZE succeed when they have run. docs/verification.md has it whole.
 */
export function verifyApply(input: VerifyInput): Judgement {
  const { change } = input;
  switch (change.kind) {
    case 'index.create':
      return verifyIndexCreate(input, change);
    case 'index.drop':
      return verifyIndexDrop(input, change);
    case 'index.reindex':
      return verifyReindex(input, change);
    case 'statistics.create':
      return verifyStatistics(input, change);
    case 'setting':
      return verifySetting(input, change);
    case 'role.setting':
    case 'database.setting':
    case 'role.database.setting':
      return verifyScopedSetting(input, change);
    case 'table.reloptions':
      return verifyReloptions(input, change);
    case 'vacuum':
      return verifyVacuum(input, change);
    case 'analyze':
      return verifyAnalyze(input, change);
    case 'finding':
      return judgement('inconclusive', 'A finding changes nothing that could be measured.', false);
  }
}
