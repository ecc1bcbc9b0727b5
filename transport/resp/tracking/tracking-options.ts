/** The words of CLIENT TRACKING, judged as Redis judges them. Pure. */
import { printable, SYNTAX_ERROR } from '../../../storage/commands/command.ts';
import { parseInteger } from '../../../storage/types/integers.ts';

export interface TrackingOptions {
  /** It hears of all keys with its prefixes, whether it has read them or not. */
  readonly isBroadcast: boolean;
  /** Only keys of commands behind CLIENT CACHING YES; or all but of those behind CACHING NO. */
  readonly opts: 'in' | 'out' | undefined;
  /** It does not hear of what it writes itself. */
  readonly noLoop: boolean;
  /** None of them begins another one. */
  readonly prefixes: readonly string[];
  /** The client that hears instead of it; 0: none. */
  readonly redirect: number;
}

/** As a client has written them. */
interface AskedOptions extends Omit<TrackingOptions, 'opts'> {
  readonly opts: TrackingOptions['opts'] | 'both';
}

const BROADCAST_SWITCH =
  "ERR You can't switch BCAST mode on/off before disabling tracking for this client, " +
  'and then re-enabling it with a different mode.';
const BROADCAST_OPTS = 'ERR OPTIN and OPTOUT are not compatible with BCAST';
const OPT_SWITCH =
  "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, " +
  'and then re-enabling it with a different mode.';

/** The words behind ON or OFF; or the error line. */
export function parseTracking(
  words: readonly string[],
  isClient: (id: number) => boolean,
): AskedOptions | string {
  const names = new Set<string>();
  const prefixes: string[] = [];
  let redirect = 0;
  for (let i = 0; i < words.length; i += 1) {
    const name = (words[i] ?? '').toUpperCase();
    const value = words[i + 1];
    if (name === 'REDIRECT' && value !== undefined) {
      i += 1;
      if (redirect !== 0) return 'ERR A client can only redirect to a single other client';
      const id = parseInteger(value);
      if (id === undefined) return 'ERR value is not an integer or out of range';
      if (!isClient(Number(id))) return 'ERR The client ID you want redirect to does not exist';
      redirect = Number(id);
    } else if (name === 'PREFIX' && value !== undefined) {
      i += 1;
      prefixes.push(value);
    } else if (['BCAST', 'OPTIN', 'OPTOUT', 'NOLOOP'].includes(name)) {
      names.add(name);
    } else {
      return SYNTAX_ERROR;
    }
  }
  return {
    isBroadcast: names.has('BCAST'),
    opts: optsOf(names.has('OPTIN'), names.has('OPTOUT')),
    noLoop: names.has('NOLOOP'),
    prefixes,
    redirect,
  };
}

function optsOf(isIn: boolean, isOut: boolean): AskedOptions['opts'] {
  if (isIn && isOut) return 'both';
  return isIn ? 'in' : isOut ? 'out' : undefined;
}

/** The new options of a client that has `now` already, if any; or the error line. */
export function enabledTracking(
  asked: AskedOptions,
  now: TrackingOptions | undefined,
): TrackingOptions | string {
  const { isBroadcast, opts } = asked;
  if (asked.prefixes.length > 0 && !isBroadcast) {
    return 'ERR PREFIX option requires BCAST mode to be enabled';
  }
  if (now !== undefined && now.isBroadcast !== isBroadcast) return BROADCAST_SWITCH;
  if (opts === 'both') return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  if (isBroadcast && opts !== undefined) return BROADCAST_OPTS;
  const isSwitched = now?.opts !== undefined && opts !== undefined && opts !== now.opts;
  if (isSwitched) return OPT_SWITCH;
  const before = now?.prefixes ?? [];
  for (const [i, prefix] of asked.prefixes.entries()) {
    const known = before.find((other) => overlaps(prefix, other));
    if (known !== undefined) return overlapError(prefix, 'an existing', known);
    const other = asked.prefixes.find((each, j) => j > i && overlaps(prefix, each));
    if (other !== undefined) return overlapError(prefix, 'another provided', other);
  }
  const wanted = isBroadcast && asked.prefixes.length === 0 && before.length === 0 ? [''] : [];
  const prefixes = [...new Set([...before, ...asked.prefixes, ...wanted])].sort();
  return { ...asked, opts, prefixes };
}

function overlaps(a: string, b: string): boolean {
  return a.startsWith(b) || b.startsWith(a);
}

function overlapError(prefix: string, which: string, other: string): string {
  return (
    `ERR Prefix '${printable(prefix)}' overlaps with ${which} prefix '${printable(other)}'. ` +
    'Prefixes for a single client must not overlap.'
  );
}
