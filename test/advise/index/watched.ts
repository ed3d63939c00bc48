/** A real planner whose questions a test sees. */
import type { Configuration, PlannableStatement, WhatIf } from '../../../src/domain/index.ts';

/**
 * The same planner, all of it; what it is asked is told before it answers.
 * @param told of each question: the configuration and the statements that are asked about under it.
 */
export function watched(
  whatIf: WhatIf,
  told: (configuration: Configuration, statements: readonly PlannableStatement[]) => void,
): WhatIf {
  const questions: Pick<WhatIf, 'costs' | 'costsOfEach' | 'explain'> = {
    costs: (configuration, statements) => {
      told(configuration, statements);
      return whatIf.costs(configuration, statements);
    },
    costsOfEach: (asked) => {
      for (const { configuration, statements } of asked) told(configuration, statements);
      return whatIf.costsOfEach(asked);
    },
    explain: (configuration, statement) => {
      told(configuration, [statement]);
      return whatIf.explain(configuration, statement);
    },
  };
  return new Proxy(whatIf, {
    get: (engine, name) => {
      if (Object.hasOwn(questions, name)) return Reflect.get(questions, name);
      const value = Reflect.get(engine, name, engine);
      return typeof value === 'function' ? value.bind(engine) : value;
    },
  });
}
