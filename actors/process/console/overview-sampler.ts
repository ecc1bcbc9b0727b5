/**
 * The sample of one node for the overview. Reads the parts of the running node; nothing in the node
 * depends on it.
 */
import type { OverviewSample } from '../../../transport/console/samples.ts';
import { findingsOf } from '../../../transport/http/findings.ts';
import type { NodeStatus } from '../../../transport/http/node-status.ts';
import type { Inspection } from '../../runtime/inspection.ts';
import type { NodeReport, ReportedNode } from '../node-report.ts';
import { openFilesMax } from '../settings/open-files.ts';
import { HostLook } from './host-look.ts';

export class OverviewSampler {
  readonly #node: ReportedNode;
  readonly #report: NodeReport;
  readonly #openFilesMax = openFilesMax() ?? Number.NaN;
  readonly #host: HostLook;

  constructor(node: ReportedNode, report: NodeReport) {
    this.#node = node;
    this.#report = report;
    this.#host = new HostLook(node.config.dataDir);
  }

  async sample(): Promise<OverviewSample> {
    const { board, gateway, clock, node } = this.#node;
    const { openFiles, ...space } = await this.#host.facts(clock.monotonicMs());
    const { user, system } = process.cpuUsage();
    const { verdict } = node.time;
    const actors = countActors(node.system.outline);
    const { reads = 0, writes = 0, local = 0 } = gateway?.commandsByFamily() ?? {};
    const status = this.#report.status();
    return {
      status,
      memory: {
        rssBytes: process.memoryUsage.rss(),
        storeBytes: board.storeBytes,
        maxBytes: gateway?.memory.bytesMax ?? 0,
      },
      disk: { logBytes: board.logBytes, ...space },
      clockAheadMs: verdict.type === 'unknown' ? undefined : verdict.aheadUs / 1_000,
      links: this.#links(),
      cpuMs: (user + system) / 1_000,
      monotonicMs: clock.monotonicMs(),
      commands: { reads, writes, local },
      errors: [...(gateway?.counters.errorCodes ?? [])],
      ...actors,
      deadLetters: node.system.deadLetters.total,
      latency: { read: board.latency.sparse('read'), write: board.latency.sparse('write') },
      findings: this.#findings(status, openFiles),
    };
  }

  #links(): OverviewSample['links'] {
    const { node, network, clock } = this.#node;
    const offsets = node.offsets.all(clock.wallUs(), clock.monotonicMs());
    return network.counters().map(({ peer, up, queuedBytes, bytesIn, bytesOut, reconnects }) => {
      const seen = offsets.find((each) => each.node === peer);
      return {
        ...{ peer, up, queuedBytes, bytesIn, bytesOut, reconnects },
        // The error of a comparison is half of its round trip.
        roundTripUs: up && seen !== undefined ? 2 * seen.errorUs : undefined,
        offsetUs: seen?.offsetUs,
      };
    });
  }

  #findings(status: NodeStatus, openFiles: number): OverviewSample['findings'] {
    const { node, board, config } = this.#node;
    const { verdict } = node.time;
    return findingsOf({
      place: `node ${config.nodeId}`,
      status,
      clockOffsetSeconds: verdict.type === 'unknown' ? Number.NaN : verdict.aheadUs / 1e6,
      syncP99Us: board.latency.quantileUs('sync', 0.99),
      openFiles,
      openFilesMax: this.#openFilesMax,
    });
  }
}

function countActors(inspection: Inspection | undefined): { readonly restarts: number } {
  if (inspection === undefined) return { restarts: 0 };
  if (inspection.kind === 'actor') return { restarts: inspection.restarts };
  const counts = inspection.children.map((child) => countActors(child).restarts);
  return { restarts: counts.reduce((sum, count) => sum + count, 0) };
}
