/** Limits of scripts, as settings of the cluster: they end at the same step everywhere. Pure. */
import type { ClusterSettings } from '../../cluster-settings.ts';
import type { LuaLimits } from './lua/lua-machine.ts';

export const STEPS_SETTING = 'script-steps-max';
export const MEMORY_SETTING = 'script-memory-bytes-max';

export const SCRIPT_LIMITS: LuaLimits = {
  stepsMax: 3_000_000,
  memoryBytesMax: 32 * 1024 * 1024,
};

export function limitsOf({ values }: ClusterSettings): LuaLimits {
  const steps = values.get(STEPS_SETTING);
  const bytes = values.get(MEMORY_SETTING);
  if (steps === undefined && bytes === undefined) return SCRIPT_LIMITS;
  return {
    stepsMax: Number(steps ?? SCRIPT_LIMITS.stepsMax),
    memoryBytesMax: Number(bytes ?? SCRIPT_LIMITS.memoryBytesMax),
  };
}
