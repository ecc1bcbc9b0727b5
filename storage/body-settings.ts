/**
 * The settings at the head of a transaction's body: those of the cluster that reach the state and
 * are not the standard ones, as the coordinator had them. So every replica executes the transaction
 * with the same settings, whatever it knows of the cluster's table by then. A body without a head
 * is for the standard settings.
 *
 * `SETTINGS_HEAD` u8 | count u8 | per setting, ascending: its place among `STANDARD_SETTINGS` u8, its
 * value f64 big endian. Pure.
 */
import { SCRIPT_LIMITS, type ScriptLimits } from './script-limits.ts';
import { THRESHOLDS, type Thresholds } from './types/thresholds.ts';

/** No command begins with it. */
export const SETTINGS_HEAD = 1;
const HEAD_BYTES = 2;
const SETTING_BYTES = 9;

/** All of them are numbers. */
export interface BodySettings extends Thresholds, ScriptLimits {}

type Name = keyof BodySettings;

export const STANDARD_SETTINGS: BodySettings = { ...THRESHOLDS, ...SCRIPT_LIMITS };
const NAMES = Object.keys(STANDARD_SETTINGS) as readonly Name[];
export const NO_HEAD = new Uint8Array(0);

export function settingsHead(settings: BodySettings): Uint8Array {
  const others = NAMES.filter((name) => settings[name] !== STANDARD_SETTINGS[name]);
  if (others.length === 0) return NO_HEAD;
  const head = Buffer.alloc(HEAD_BYTES + others.length * SETTING_BYTES);
  head[0] = SETTINGS_HEAD;
  head[1] = others.length;
  for (const [index, name] of others.entries()) {
    const at = HEAD_BYTES + index * SETTING_BYTES;
    head[at] = NAMES.indexOf(name);
    head.writeDoubleBE(settings[name], at + 1);
  }
  return head;
}

/** Where the first command of a body begins. Throws on a head that is cut short. */
export function headBytes(body: Uint8Array): number {
  if (body[0] !== SETTINGS_HEAD) return 0;
  const bytes = HEAD_BYTES + (body[1] ?? 0) * SETTING_BYTES;
  let last = -1;
  for (let at = HEAD_BYTES; at < bytes; at += SETTING_BYTES) {
    const place = body[at] ?? NAMES.length;
    if (place <= last || place >= NAMES.length) throw new RangeError('a head names no setting');
    last = place;
  }
  if (bytes > body.length || last === -1) throw new RangeError('a head of settings is cut short');
  return bytes;
}

export function settingsOfBody(body: Uint8Array): BodySettings {
  const bytes = headBytes(body);
  if (bytes === 0) return STANDARD_SETTINGS;
  const view = new DataView(body.buffer, body.byteOffset, bytes);
  const settings: Record<Name, number> = { ...STANDARD_SETTINGS };
  for (let at = HEAD_BYTES; at < bytes; at += SETTING_BYTES) {
    settings[NAMES[view.getUint8(at)] as Name] = view.getFloat64(at + 1);
  }
  return settings;
}
