/** The keys by which findings are dismissed, as each check's page gives them. */
import { readdirSync, readFileSync } from 'node:fs';

const FOLDER = new URL('../../../../docs/health/', import.meta.url);
const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** As they stand on the page `health/<name>`; `<table>` and the like stand for a name. */
export function keysOfPage(name: string): string[] {
  const [, part = ''] = readFileSync(new URL(`${name}.md`, FOLDER), 'utf8').split('\n## Suppression\n');
  return [...part.matchAll(/`([^`]+)`/g)].map(([, key = '']) => key);
}

const patterns = new Map(
  readdirSync(FOLDER)
    .filter((file) => file !== 'README.md')
    .map((file) => file.replace('.md', ''))
    .map((name) => [
      `health/${name}`,
      keysOfPage(name).map((key) => new RegExp(`^${escaped(key).replace(/<[a-z]+>/g, '[^]+')}$`)),
    ]),
);

/** Findings whose key is on no page: nobody could know how they are dismissed. */
export function unknownKeys(findings: readonly { rule: string; key: string }[]): string[] {
  return findings
    .filter(({ rule, key }) => !patterns.get(rule)?.some((pattern) => pattern.test(key)))
    .map(({ rule, key }) => `${rule}: ${key}`);
}
