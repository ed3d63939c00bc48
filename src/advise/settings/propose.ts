/** From a wanted value to a recommendation or the reason against it: legality, nearness, who set the present value. */
import type { Evidence, RuleContext, RuleResult, SettingRow, Severity } from '../../domain/index.ts';
import { limited, rejected, setting, settingNotVisible } from './facts.ts';
import { settingDraft } from './setting-draft.ts';
import { formatMemory, memoryUnitBytes, showValue } from './units.ts';

export interface Proposal {
  rule: string;
  /** The setting. */
  name: string;
  /** Bytes for memory settings; the number itself for others. */
  value: number;
  formula: string;
  /** What is wrong now and what the change does. */
  why: string;
  /** What would change this advice. */
  unless: string;
  severity: Severity;
  /** 0..1. */
  confidence: number;
  evidence: Evidence[];
  /** Proposed only where the present value is below (or above) the wanted one. */
  direction: 'raise' | 'lower' | 'either';
  /** Seen on this target that the present value is wrong: then a value that somebody chose is questioned too. */
  observed: boolean;
  /** For a person, beside what holds for any setting. */
  notes?: string[];
}

/** Nearer than this share, a change is not worth a person's time. */
const TOLERANCE = 0.25;

/** pg_settings.source of values that nobody chose. */
const UNCHOSEN = new Set(['default', 'override', 'session']);

/** initdb writes some settings into postgresql.conf at their defaults: those are nobody's choice either. */
export function isChosen(row: SettingRow): boolean {
  return !UNCHOSEN.has(row.source) && row.setting !== row.boot_val;
}

/** The recommendation, or the rejection with its reason. */
export function propose(context: RuleContext, proposal: Proposal): RuleResult {
  const row = setting(context, proposal.name);
  if (!row) return limited(settingNotVisible(proposal.name));
  const reject = (code: string, reason: string) =>
    rejected({ rule: proposal.rule, candidate: proposal.name, code, reason });
  const unit = memoryUnitBytes(row.unit);
  const present = Number(row.setting);
  const wanted = legalValue(row, unit === null ? proposal.value : proposal.value / unit);
  const text = unit === null ? String(wanted) : formatMemory(wanted * unit);
  const shown = showValue(row);
  if (Math.abs(present - wanted) <= TOLERANCE * Math.max(Math.abs(wanted), Number.EPSILON)) {
    return reject('close_enough', `${shown} is near the ${text} that it would be`);
  }
  if (proposal.direction === 'raise' && present > wanted) {
    return reject('larger_already', `${shown} is more than ${text} already; nothing was seen against it`);
  }
  if (proposal.direction === 'lower' && present < wanted) {
    return reject('smaller_already', `${shown} is less than ${text} already; nothing was seen against it`);
  }
  if (row.pending_restart) {
    return reject('waits_for_restart', `it was changed in the configuration already and waits for a restart`);
  }
  if (isChosen(row) && !proposal.observed) {
    return reject(
      'set_by_operator',
      `${shown} was set on purpose (${row.source}); the formula gives ${text}, and nothing observed asks for it`,
    );
  }
  return {
    recommendations: [settingDraft(context, proposal, row, { text, shown })],
    rejections: [],
    limits: [],
  };
}

/** The nearest value that pg_settings allows, in the setting's own unit; whole where the setting is an integer. */
export function legalValue(row: SettingRow, value: number): number {
  const whole = row.vartype === 'integer' ? Math.floor(value) : value;
  const least = row.min_val === null ? whole : Number(row.min_val);
  const most = row.max_val === null ? whole : Number(row.max_val);
  return Math.min(most, Math.max(least, whole));
}
