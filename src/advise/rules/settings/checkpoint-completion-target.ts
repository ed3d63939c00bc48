/** checkpoint_completion_target left over from before 14. */
import type { Rule } from '../../../domain/index.ts';
import { propose } from '../../settings/propose.ts';

const ID = 'settings/checkpoint-completion-target';
const WANTED = 0.9;

export const rule: Rule = {
  id: ID,
  area: 'settings',
  title: 'Checkpoints write in a hurry',
  description:
    'Fires where checkpoint_completion_target is a quarter and more below 0.9, the default since 14: 0.5 was the default ' +
    'before and is still copied about. PostgreSQL documentation 28.5 advises against lower values.',
  evaluate: (context) =>
    propose(context, {
      rule: ID,
      name: 'checkpoint_completion_target',
      value: WANTED,
      formula: "PostgreSQL's default since 14",
      why: 'A checkpoint writes everything in this share of the interval and rests for the remainder: spread out, the same pages disturb other reads and writes less.',
      unless: 'Somebody who measured that a short checkpoint serves better has reason to keep it.',
      severity: 'low',
      confidence: 0.6,
      direction: 'raise',
      // The documentation itself speaks against any lower value, whoever set it.
      observed: true,
      evidence: [],
      notes: ['A little more WAL is kept meanwhile.'],
    }),
};
