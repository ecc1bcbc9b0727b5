/**
 * The machine that runs scripts, as 16 bytes in hexadecimal digits: nodes on which it differs would
 * execute scripts differently, and refuse each other.
 */
import { luaCode } from './lua/lua-module.ts';
import { PRELUDE } from './lua/lua-prelude.ts';
import { sha1Of } from './sha1.ts';

const DIGITS = 32;
/** Of what the host does with the machine: its memory, what is counted. To be raised with it. */
const REVISION = 3;
let digest: string | undefined;

export function scriptMachineDigest(): string {
  digest ??= sha1Of(`${REVISION} ${luaCode().toString('latin1')}${PRELUDE}`).slice(0, DIGITS);
  return digest;
}
