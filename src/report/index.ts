/**
 * Room rule. report/ turns results into text for people: a terminal, Markdown, a file of SQL. It may import domain
 * only. It computes nothing: what it shows stands in the object that it is given.
 */
export { renderDiagnosis } from './diagnosis.ts';
export { renderReportMarkdown } from './markdown.ts';
export { type MigrationFormat, migrationFormats, renderMigration } from './migration.ts';
export { renderPlan } from './plan-text.ts';
export { rejectionLines } from './rejection-text.ts';
export { renderScorecardMarkdown } from './scorecard-markdown.ts';
export { renderScorecard } from './scorecard-text.ts';
export {
  type DialectSetting,
  renderReportSettings,
  renderSettings,
  type SettingDialect,
  settingDialects,
} from './settings-dialect.ts';
export { renderReportSql } from './sql.ts';
export { renderReport } from './text.ts';
