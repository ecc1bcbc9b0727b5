/**
 * Whether a request is meant for this node and comes from no foreign page. A hostile page can make
 * its own name point to this node (DNS rebinding), but its browser still sends that name in `Host`;
 * and a page of another site can send requests here, but its browser says so in `Origin`. Pure.
 */
import { isIP } from 'node:net';

interface SiteRules {
  /** Names of this node in lower case; IP addresses are always taken. */
  readonly hostNames: ReadonlySet<string>;
  readonly isTls: boolean;
}

interface SiteHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
}

interface SiteProblem {
  readonly code: number;
  readonly text: string;
}

const NOT_OURS =
  'not asked under a name of this node: ask by its IP address, or by its name among ' +
  '--initial-members';
const FOREIGN = 'asked by a page of another site';

/** `undefined`: it may be answered. */
export function siteProblem(headers: SiteHeaders, rules: SiteRules): SiteProblem | undefined {
  const { host, origin } = headers;
  if (!isOurs(host, rules.hostNames)) return { code: 421, text: NOT_OURS };
  const own = `${rules.isTls ? 'https' : 'http'}://${host}`;
  if (origin === undefined || origin.toLowerCase() === own.toLowerCase()) return undefined;
  return { code: 403, text: FOREIGN };
}

function isOurs(header: string | undefined, hostNames: ReadonlySet<string>): boolean {
  if (header === undefined) return false;
  const match = /^(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/.exec(header);
  const host = (match?.[1] ?? match?.[2] ?? '').toLowerCase();
  return isIP(host) !== 0 || hostNames.has(host);
}
