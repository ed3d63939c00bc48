/** Finds the rules: every file under rules/<area>/ exports one as `rule`, and its id is its place. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { type Rule, type RuleArea, ruleAreas } from '../domain/index.ts';

const RULES = fileURLToPath(new URL('./rules/', import.meta.url));
/** `.ts` when run from source, `.js` when built; `.d.ts`, `.js.map` and the like hold a second dot and no rule. */
const RULE_FILE = /^([a-z0-9]+(?:-[a-z0-9]+)*)\.[jt]s$/;
/** What may lie beside the rules. */
const NO_RULE_FILE = /\.(d\.ts|map)$/;

/**
 * All rules, by area and then by name: every file of every area's folder.
 * @param directory where the areas' folders are; another than our own only in tests.
 * @throws Error naming the file, for one that is no rule or cannot be loaded: a broken rule must not go unseen.
 */
export async function loadRules(directory: string = RULES): Promise<Rule[]> {
  const rules = new Map<string, Rule>();
  for (const area of ruleAreas) {
    const names = (await readdir(join(directory, area))).filter((name) => !NO_RULE_FILE.test(name)).sort();
    for (const name of names) {
      const rule = await loadRule(directory, area, name);
      if (rules.has(rule.id)) throw new Error(`two files define the rule ${rule.id}`);
      rules.set(rule.id, rule);
    }
  }
  return [...rules.values()];
}

async function loadRule(directory: string, area: RuleArea, name: string): Promise<Rule> {
  const place = `advise/rules/${area}/${name}`;
  const stem = RULE_FILE.exec(name)?.[1];
  if (stem === undefined) throw new Error(`${place} is no rule's file: they are named like scale-factor.ts`);
  let module: { rule?: unknown };
  try {
    module = await import(pathToFileURL(join(directory, area, name)).href);
  } catch (error) {
    throw new Error(`${place} cannot be loaded`, { cause: error });
  }
  const { rule } = module;
  if (!isRule(rule)) throw new Error(`${place} must export a rule named \`rule\``);
  const id = `${area}/${stem}`;
  if (rule.id !== id || rule.area !== area) {
    throw new Error(`${place} must export a rule of area ${area} with the id ${id}, not ${rule.id}`);
  }
  return rule;
}

function isRule(value: unknown): value is Rule {
  if (typeof value !== 'object' || value === null) return false;
  const rule: Partial<Record<keyof Rule, unknown>> = value;
  return (
    typeof rule.id === 'string' &&
    typeof rule.title === 'string' &&
    typeof rule.description === 'string' &&
    typeof rule.evaluate === 'function'
  );
}
