/** The overview of the cluster: rates and merged latencies out of the nodes' last two samples. */
import { HdrHistogram } from '../hdr-histogram.ts';
import { compareNodes, silentNode } from '../http/findings.ts';
import type { OfNodes, Overview, OverviewNode, OverviewSample } from './samples.ts';

type Family = keyof OverviewSample['latency'];

export class OverviewBoard {
  #before: OfNodes<OverviewSample> = {};

  /** Called with each round of samples, in the order of time. */
  next(now: OfNodes<OverviewSample>): Overview {
    const nodes: Record<number, OverviewNode | string> = {};
    const histograms = { read: new HdrHistogram(), write: new HdrHistogram() };
    const paths = { fast: 0, slow: 0, recovered: 0, invalidated: 0 };
    const errors = new Map<string, number>();
    for (const [name, sample] of Object.entries(now)) {
      const node = Number(name);
      if (typeof sample === 'string') {
        nodes[node] = sample;
        continue;
      }
      const { latency, ...shown } = sample;
      const before = this.#earlier(node, sample);
      nodes[node] = { ...shown, rates: before && ratesOf(before, sample) };
      if (before === undefined) continue;
      for (const family of ['read', 'write'] as const) {
        histograms[family].addSince(latency[family], before.latency[family]);
      }
      for (const path of ['fast', 'slow', 'recovered', 'invalidated'] as const) {
        paths[path] += Math.max(0, sample.status.paths[path] - before.status.paths[path]);
      }
      addErrors(errors, before, sample);
    }
    this.#before = now;
    const quantiles = (family: Family) => quantilesOf(histograms[family]);
    const parts = { read: quantiles('read'), write: quantiles('write'), paths };
    return { nodes, ...parts, errors: [...errors], findings: findingsOf(now) };
  }

  /** The sample before this one, of the same process. */
  #earlier(node: number, now: OverviewSample): OverviewSample | undefined {
    const before = this.#before[node];
    if (before === undefined || typeof before === 'string') return undefined;
    const isSame = before.status.incarnation === now.status.incarnation;
    return isSame && before.monotonicMs < now.monotonicMs ? before : undefined;
  }
}

function ratesOf(before: OverviewSample, now: OverviewSample): OverviewNode['rates'] {
  const seconds = (now.monotonicMs - before.monotonicMs) / 1_000;
  const rate = (a: number, b: number): number => Math.max(0, b - a) / seconds;
  const bytes = (sample: OverviewSample, way: 'bytesIn' | 'bytesOut'): number =>
    sample.links.reduce((sum, link) => sum + link[way], 0);
  return {
    reads: rate(before.commands.reads, now.commands.reads),
    writes: rate(before.commands.writes, now.commands.writes),
    local: rate(before.commands.local, now.commands.local),
    cpu: rate(before.cpuMs, now.cpuMs) / 10,
    bytesIn: rate(bytes(before, 'bytesIn'), bytes(now, 'bytesIn')),
    bytesOut: rate(bytes(before, 'bytesOut'), bytes(now, 'bytesOut')),
  };
}

function addErrors(errors: Map<string, number>, before: OverviewSample, now: OverviewSample): void {
  const known = new Map(before.errors);
  for (const [code, count] of now.errors) {
    const added = count - (known.get(code) ?? 0);
    if (added > 0) errors.set(code, (errors.get(code) ?? 0) + added);
  }
}

function quantilesOf(histogram: HdrHistogram): Overview['read'] {
  const at = (share: number): number => Math.round(histogram.quantileUs(share));
  return { count: histogram.count, p50Us: at(0.5), p99Us: at(0.99), p999Us: at(0.999) };
}

function findingsOf(now: OfNodes<OverviewSample>): Overview['findings'] {
  const samples = Object.entries(now);
  const found = samples.flatMap(([node, sample]) =>
    typeof sample === 'string' ? [silentNode(`node ${node}`, sample)] : sample.findings,
  );
  const known = samples.flatMap(([, sample]) =>
    typeof sample === 'string' ? [] : [sample.status],
  );
  return [...found, ...compareNodes(known)];
}
