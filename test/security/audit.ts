/**
 * `npm run audit`: whether the dependencies of the product have known faults, as the registry
 * answers. Exit codes: 0 none is known, 1 some are, 2 not checked: a registry that does not answer
 * is no clean bill.
 */
import { spawnSync } from 'node:child_process';
import { pathToFileURL } from 'node:url';

export interface AuditVerdict {
  readonly code: 0 | 1 | 2;
  readonly text: string;
}

interface Report {
  readonly error?: { readonly code?: string; readonly summary?: string; readonly detail?: string };
  readonly message?: string;
  readonly metadata?: { readonly vulnerabilities?: Readonly<Record<string, number>> };
  readonly vulnerabilities?: Readonly<Record<string, { readonly severity?: string }>>;
}

/** Reads what `npm audit --omit=dev --json` has printed. */
export function verdictOf(printed: string): AuditVerdict {
  let report: Report;
  try {
    report = JSON.parse(printed) as Report;
  } catch {
    return { code: 2, text: 'not checked: npm has printed no report' };
  }
  const counts = report.metadata?.vulnerabilities;
  if (report.error !== undefined || counts?.['total'] === undefined) {
    const { summary = '', detail = '' } = report.error ?? {};
    const reason = [summary, detail, report.message].find((text) => text) ?? 'no reason is given';
    return { code: 2, text: `not checked: ${reason.split('\n')[0]}` };
  }
  if (counts['total'] === 0) return { code: 0, text: 'no known fault in what the product uses' };
  const found = Object.entries(report.vulnerabilities ?? {});
  const lines = found.map(([name, { severity = 'unknown' }]) => `${name}: ${severity}`);
  return { code: 1, text: [`${counts['total']} known faults`, ...lines].join('\n') };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8' });
  const { code, text } = verdictOf(stdout);
  console.log(text);
  process.exitCode = code;
}
