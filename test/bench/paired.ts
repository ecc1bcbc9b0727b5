/** Interleaved pairs of measurements: CPU of processes, and ratios with their interval. */
import { readdirSync, readFileSync } from 'node:fs';

const RESAMPLES = 10_000;

/** User and system time of all threads; the ticks of /proc/PID/stat would be too coarse. */
export function cpuNsOf(pid: number): number {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).reduce((sum, task) => {
    return sum + Number(readFileSync(`${tasks}/${task}/schedstat`, 'latin1').split(' ')[0]);
  }, 0);
}

/** `what` is over what. */
export function reportRatios(what: string, ratios: readonly number[]): void {
  const [low, high] = bootstrap(ratios);
  const mean = geometricMean(ratios).toFixed(3);
  const interval = `[${low.toFixed(3)}, ${high.toFixed(3)}]`;
  console.log(`${what} ${mean} ${interval} of ${ratios.length} pairs`);
}

/** 95 percent, of the geometric mean. */
function bootstrap(ratios: readonly number[]): [low: number, high: number] {
  const means = Array.from({ length: RESAMPLES }, () =>
    geometricMean(ratios.map(() => ratios[Math.floor(Math.random() * ratios.length)] ?? 1)),
  ).sort((a, b) => a - b);
  return [means[Math.floor(0.025 * RESAMPLES)] ?? 1, means[Math.floor(0.975 * RESAMPLES)] ?? 1];
}

export function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function geometricMean(ratios: readonly number[]): number {
  return Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
}
