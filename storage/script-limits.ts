/** Limits of scripts, as settings of the cluster: they end at the same step everywhere. Pure. */

export const STEPS_SETTING = 'script-steps-max';
export const MEMORY_SETTING = 'script-memory-bytes-max';
export const SCRIPTS_BYTES_SETTING = 'scripts-bytes-max';

export interface ScriptLimits {
  /** Of one run. */
  readonly scriptStepsMax: number;
  readonly scriptMemoryBytesMax: number;
  /** Of all stored scripts. */
  readonly scriptsBytesMax: number;
}

export const SCRIPT_LIMITS: ScriptLimits = {
  scriptStepsMax: 3_000_000,
  scriptMemoryBytesMax: 32 * 1024 * 1024,
  scriptsBytesMax: 16 * 1024 * 1024,
};
