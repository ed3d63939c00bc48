/** From a wanted value to a recommendation or the reason against it: legality, nearness, who set the present value. */
import {
  type AffectedStatement,
  type Evidence,
  type RuleContext,
  type RuleResult,
  type SettingRow,
  type Severity,
  untakenParameter,
} from '../../domain/index.ts';
import { bootRefusal, type Refusal, standbyNote } from './bootable.ts';
import { limited, rejected, setting, settingNotVisible } from './facts.ts';
import { settingDraft } from './setting-draft.ts';
import { memoryUnitBytes, showValue } from './units.ts';

export interface Proposal {
  rule: string;
  /** The setting. */
  name: string;
  /** Bytes for memory settings, the number in pg_settings' own unit for others; a word for switches, lists and texts. */
  value: number | string;
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
  /** Absent: measured where observed, simulated where plans change, else estimated. */
  level?: Evidence['level'];
  /** For a person, beside what holds for any setting. */
  notes?: string[];
  /** Why PgLuthier leaves it to a person, as a sentence; absent: it can be applied. */
  byHand?: string;
  /** Statements that change with it, by a planner; absent: none was asked, or none does. */
  affects?: AffectedStatement[];
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
  const wanted = typeof proposal.value === 'string' ? word(row, proposal) : number(row, proposal);
  const refusal =
    serviceRefusal(context, row) ??
    wanted.refusal ??
    bootRefusal(context, row, wanted.value) ??
    choiceRefusal(row, proposal, wanted.text);
  if (refusal) {
    return rejected({ rule: proposal.rule, candidate: proposal.name, ...refusal });
  }
  const note = typeof wanted.value === 'number' ? standbyNote(context, row, wanted.value) : null;
  const noted = note === null ? proposal : { ...proposal, notes: [...(proposal.notes ?? []), note] };
  const { text } = wanted;
  return {
    recommendations: [settingDraft(context, noted, row, { text, shown: showValue(row) })],
    rejections: [],
    limits: [],
  };
}

interface Wanted {
  /** A number in the setting's own unit, or the word. */
  value: number | string;
  /** As ALTER SYSTEM takes it. */
  text: string;
  refusal: Refusal | null;
}

function number(row: SettingRow, { value, direction }: Proposal): Wanted {
  const unit = memoryUnitBytes(row.unit);
  const present = Number(row.setting);
  const wanted = legalValue(row, unit === null ? Number(value) : Number(value) / unit);
  const text = showValue({ ...row, setting: String(wanted) });
  const against = (code: string, reason: string): Wanted => ({
    value: wanted,
    text,
    refusal: { code, reason },
  });
  const shown = showValue(row);
  if (Math.abs(present - wanted) <= TOLERANCE * Math.max(Math.abs(wanted), Number.EPSILON)) {
    const reason =
      present === wanted ? `it is ${shown} already` : `${shown} is near the ${text} that it would be`;
    return against('close_enough', reason);
  }
  if (direction === 'raise' && present > wanted) {
    return against('larger_already', `${shown} is more than ${text} already; nothing was seen against it`);
  }
  if (direction === 'lower' && present < wanted) {
    return against('smaller_already', `${shown} is less than ${text} already; nothing was seen against it`);
  }
  return { value: wanted, text, refusal: null };
}

/** A list's word must be one that this server knows: lz4 and io_uring depend on how it was built. */
function word(row: SettingRow, { value }: Proposal): Wanted {
  const text = String(value);
  const known = row.vartype === 'bool' ? ['on', 'off'] : row.vartype === 'enum' ? row.enumvals : null;
  if (known && !known.includes(text)) {
    const reason = `this server does not know ${text}; it knows ${known.join(', ')}`;
    return { value: text, text, refusal: { code: 'not_available', reason } };
  }
  if (row.setting === text) {
    return { value: text, text, refusal: { code: 'as_wanted', reason: `it is ${text} already` } };
  }
  return { value: text, text, refusal: null };
}

/** What nobody can set there is no advice. */
function serviceRefusal({ snapshot }: RuleContext, { name, source }: SettingRow): Refusal | null {
  const service = snapshot.server.managed_service;
  const untaken = untakenParameter(service, name);
  if (untaken === null || untaken.instead !== null || source === 'database') return null;
  return { code: 'not_available', reason: `nobody can set it on ${service}: ${untaken.reason}` };
}

function choiceRefusal(row: SettingRow, proposal: Proposal, text: string): Refusal | null {
  if (row.pending_restart) {
    return {
      code: 'waits_for_restart',
      reason: 'it was changed in the configuration already and waits for a restart',
    };
  }
  if (isChosen(row) && !proposal.observed) {
    return {
      code: 'set_by_operator',
      reason: `${showValue(row)} was set on purpose (${row.source}); the formula gives ${text}, and nothing observed asks for it`,
    };
  }
  return null;
}

/** The nearest value that pg_settings allows, in the setting's own unit; whole where the setting is an integer. */
export function legalValue(row: SettingRow, value: number): number {
  const whole = row.vartype === 'integer' ? Math.floor(value) : value;
  const least = row.min_val === null ? whole : Number(row.min_val);
  const most = row.max_val === null ? whole : Number(row.max_val);
  return Math.min(most, Math.max(least, whole));
}
