/** Finds the rules: every file under rules/<area>/ exports one as `rule`, and its id is its place. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Rule, ruleAreas } from '../domain/index.ts';

const RULES = fileURLToPath(new URL('./rules/', import.meta.url));

/**
 * All rules, by area and then by name.
 * @throws Error for a file that is no rule, or whose id is not `<area>/<file name>`: a broken rule must not go unseen.
 */
export async function loadRules(): Promise<Rule[]> {
  const rules: Rule[] = [];
  for (const area of ruleAreas) {
    const names = (await readdir(join(RULES, area)))
      .filter((name) => /^[a-z0-9-]+\.[jt]s$/.test(name))
      .sort();
    for (const name of names) {
      const module: { rule?: Rule } = await import(pathToFileURL(join(RULES, area, name)).href);
      const id = `${area}/${name.replace(/\.[jt]s$/, '')}`;
      if (module.rule?.id !== id)
        throw new Error(`advise/rules/${area}/${name} must export rule with id ${id}`);
      rules.push(module.rule);
    }
  }
  return rules;
}
