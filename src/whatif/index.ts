/**
 * Room rule. whatif/ answers what a statement would cost if something were different: the engines behind the WhatIf
 * port. It may import domain, target and embedded. It proposes nothing and knows no workload; it never runs a
 * statement, it plans them.
 */
export { openHypopg } from './hypopg/open.ts';
export { openTwin } from './twin/open.ts';
