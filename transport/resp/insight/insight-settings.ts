/** The settings of slow log, latency monitor and histograms, as Redis names and checks them. */
import { count, type Judge, yesOrNo } from '../inert-settings.ts';
import type { Routes } from '../routes.ts';
import type { Setting } from '../settings-registry.ts';
import type { CommandInsight } from './insight.ts';

const PERCENTILES_MAX = 64;

const percentiles: Judge = (text) => {
  const words = text.split(' ', PERCENTILES_MAX + 1).filter((word) => word !== '');
  if (words.length > PERCENTILES_MAX) return { reason: `at most ${PERCENTILES_MAX} percentiles` };
  const bad = words.some((word) => !/^\d+(\.\d+)?$/.test(word) || Number(word) > 100);
  const name = 'latency-tracking-info-percentiles';
  return bad
    ? { reason: `${name} parameters should sit between [0.0,100.0]` }
    : { kept: words.join(' ') };
};

export function insightSettings(insight: CommandInsight, routes: Routes): Setting[] {
  const { slowLog, latency } = insight;
  return [
    judged(
      'slowlog-log-slower-than',
      count(-1),
      () => slowLog.thresholdUs,
      (text) => {
        slowLog.thresholdUs = Number(text);
      },
    ),
    judged(
      'slowlog-max-len',
      count(0),
      () => slowLog.lengthMax,
      (text) => {
        slowLog.lengthMax = Number(text);
      },
    ),
    judged(
      'latency-monitor-threshold',
      count(0),
      () => latency.thresholdMs,
      (text) => {
        latency.thresholdMs = Number(text);
      },
    ),
    judged(
      'latency-tracking',
      yesOrNo,
      () => (routes.tracksLatency ? 'yes' : 'no'),
      (text) => {
        routes.tracksLatency = text === 'yes';
      },
    ),
    judged(
      'latency-tracking-info-percentiles',
      percentiles,
      () => insight.percentiles,
      (text) => {
        insight.percentiles = text;
      },
    ),
  ];
}

function judged(
  name: string,
  judge: Judge,
  get: () => string | number,
  set: (kept: string) => void,
): Setting {
  return {
    name,
    get: () => String(get()),
    prepare: (text) => {
      const verdict = judge(text);
      return 'reason' in verdict ? verdict.reason : () => set(verdict.kept);
    },
  };
}
