/** Proposals of settings that planning reads: what the planner would do otherwise is asked first, and may end them. */
import type { PlanChange, RuleContext, RuleResult } from '../../domain/index.ts';
import { rejected, setting as settingRow } from './facts.ts';
import { maskedProposals } from './masked-proposal.ts';
import { type Proposal, propose } from './propose.ts';
import { askSettings } from './what-if.ts';
import { affectedBy, answerEvidence, noFlipReason, nothingFlips } from './what-if-evidence.ts';

/**
 * The recommendation with the plans that change, or the rejection: also where no plan changes, unless something other
 * than plans was seen that speaks for the value.
 */
export async function proposePlanned(
  context: RuleContext,
  proposal: Proposal,
  options: { reprices: boolean; needs_flips: boolean; counts?: (change: PlanChange) => boolean },
): Promise<RuleResult> {
  const first = propose(context, proposal);
  const setting = first.recommendations[0]?.setting;
  if (!setting) return first;
  const answer = await askSettings(
    context,
    { settings: { [setting.name]: setting.value } },
    {
      masked_by: setting.name,
      reprices: options.reprices,
      ...(options.counts ? { counts: options.counts } : {}),
    },
  );
  const asked = !('reason' in answer);
  if (asked && options.needs_flips && nothingFlips(answer)) {
    return rejected({
      rule: proposal.rule,
      candidate: proposal.name,
      code: 'no_plan_changes',
      reason: `${setting.value} would change nothing: ${noFlipReason(answer)}`,
    });
  }
  const result = propose(context, {
    ...proposal,
    evidence: [
      ...proposal.evidence,
      ...answerEvidence(context, answer, `with ${setting.name} = ${setting.value} and as it is`),
    ],
    affects: asked ? affectedBy(answer) : [],
  });
  const row = settingRow(context, proposal.name);
  if (!row || result.recommendations.length === 0) return result;
  const masked = await maskedProposals(context, { rule: proposal.rule, row, value: setting.value });
  return {
    recommendations: [...result.recommendations, ...masked.recommendations],
    rejections: [...result.rejections, ...masked.rejections],
    limits: result.limits,
  };
}
