/**
 * The latency monitor (LATENCY): per event, the worst time of each second, where it is above a
 * threshold. As in Redis: 160 seconds of each event, and none without a threshold.
 */

/** `fast-command`: a command of the gateway that Redis calls fast. `command`: any other unit. */
const EVENTS = ['command', 'fast-command'] as const;
type LatencyEvent = (typeof EVENTS)[number];

const SAMPLES_MAX = 160;

interface LatencySample {
  readonly atSeconds: number;
  readonly ms: number;
}

interface LatencySeries {
  readonly event: LatencyEvent;
  /** A second each, the oldest first; at least one. */
  readonly samples: readonly LatencySample[];
  /** Since the last reset. */
  readonly maxMs: number;
}

export class LatencyMonitor {
  /** Milliseconds; 0: nothing is noted. */
  thresholdMs = 0;
  readonly #series = new Map<LatencyEvent, { samples: LatencySample[]; maxMs: number }>();

  isHigh(tookMs: number): boolean {
    return this.thresholdMs > 0 && tookMs >= this.thresholdMs;
  }

  note(event: LatencyEvent, tookMs: number, atSeconds: number): void {
    const ms = Math.floor(tookMs);
    if (!this.isHigh(ms)) return;
    const series = this.#series.get(event) ?? { samples: [], maxMs: 0 };
    this.#series.set(event, series);
    series.maxMs = Math.max(series.maxMs, ms);
    const last = series.samples.at(-1);
    if (last?.atSeconds === atSeconds) {
      series.samples[series.samples.length - 1] = { atSeconds, ms: Math.max(last.ms, ms) };
      return;
    }
    series.samples.push({ atSeconds, ms });
    if (series.samples.length > SAMPLES_MAX) series.samples.shift();
  }

  all(): LatencySeries[] {
    return EVENTS.flatMap((event) => {
      const series = this.#series.get(event);
      return series === undefined ? [] : [{ event, ...series }];
    });
  }

  history(event: string): readonly LatencySample[] {
    return this.#series.get(event as LatencyEvent)?.samples ?? [];
  }

  /** Of these events, or of all when there are none; returns how many had been noted. */
  reset(events: readonly string[]): number {
    const names = events.length === 0 ? [...this.#series.keys()] : events;
    return names.filter((name) => this.#series.delete(name as LatencyEvent)).length;
  }

  /** The text of LATENCY DOCTOR. */
  advice(slowLogUs: number): string {
    if (this.thresholdMs === 0) {
      return (
        'The latency monitor is off. Turn it on with CONFIG SET latency-monitor-threshold ' +
        'MILLISECONDS. The phases of commands are measured always: INFO latency, holoctl latency.\n'
      );
    }
    const all = this.all();
    if (all.length === 0) {
      return `No event took ${this.thresholdMs} ms or longer since the last reset.\n`;
    }
    const lines = all.map(({ event, samples, maxMs }) => {
      const mean = samples.reduce((sum, { ms }) => sum + ms, 0) / samples.length;
      return `${event}: ${samples.length} seconds with latency spikes, mean ${mean.toFixed(0)} ms, worst ${maxMs} ms.`;
    });
    const slow =
      slowLogUs < 0
        ? 'The slow log is off: CONFIG SET slowlog-log-slower-than MICROSECONDS.'
        : `See SLOWLOG GET for the commands that took ${slowLogUs} us or longer.`;
    const advice = [
      slow,
      'See INFO latency for the phase that is long: queue and batch (the node is saturated), sync ' +
        '(its disk), votes and network (a peer), execute (transactions that wait for one another).',
      'Long pipelines and commands over many keys (KEYS, MGET and MSET of thousands) take long themselves.',
    ];
    return `${[...lines, ...advice.map((line) => `- ${line}`)].join('\n')}\n`;
  }
}
