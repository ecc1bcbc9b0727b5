/**
 * The answers of one node to consoles, its own and those of the other nodes: each with the role
 * that it needs. Reads the parts of the running node; nothing in the node depends on it.
 */
import { Writable } from 'node:stream';
import { slotOfText } from '../../../storage/keyspace/slots.ts';
import { isAtLeast, ROLES, type Role } from '../../../transport/access/admin/roles.ts';
import type { AnswerHere, NodeQuestion } from '../../../transport/console/cluster-questions.ts';
import type { Args } from '../../../transport/console/console-protocol.ts';
import { scanKeys, showKey, whole } from '../../../transport/console/key-questions.ts';
import type { RedisReply } from '../../../transport/console/redis-reply.ts';
import type {
  ActorsSample,
  HeatSample,
  HoloFastSample,
  RangesSample,
} from '../../../transport/console/samples.ts';
import { runAs } from '../../../transport/console/user-commands.ts';
import { formatEndpoint } from '../../../transport/endpoint.ts';
import { writePaced } from '../../../transport/http/paced-writer.ts';
import type { TopologyOutcome, TopologyRequest } from '../../../transport/http/topology-report.ts';
import type { TraceEvent } from '../../../transport/trace/trace-event.ts';
import { findBigKeys, findTxns } from '../../node/store-questions.ts';
import type { Inspection } from '../../runtime/inspection.ts';
import type { TraceRecorder } from '../../runtime/trace/trace-recorder.ts';
import type { LogRing } from '../log-ring.ts';
import type { NodeReport, ReportedNode } from '../node-report.ts';
import type { NodeTraces } from '../node-traces.ts';
import { ConsoleActions } from './console-actions.ts';
import { OverviewSampler } from './overview-sampler.ts';

interface Sources {
  readonly node: ReportedNode;
  readonly report: NodeReport;
  readonly recorder: TraceRecorder;
  readonly traces: NodeTraces;
  readonly log: LogRing;
  readonly changeTopology: (request: TopologyRequest, user: string) => Promise<TopologyOutcome>;
  /** Writes a line of audit into the log. */
  readonly audit: (user: string, what: string) => void;
}

interface Answered {
  /** Undefined: none. */
  readonly role?: Role;
  readonly answer: (args: Args, question: NodeQuestion) => unknown;
}

const MESSAGES_SHOWN = 50;
const DEAD_LETTERS_SHOWN = 20;
const LISTED = 50;
/** Of lines of the log, in one answer. */
const LOG_CHARS_MAX = 256 * 1024;
const TRACE_CHARS_MAX = 900 * 1024;

export class ConsoleAnswers {
  readonly #sources: Sources;
  readonly #overview: OverviewSampler;
  readonly #actions: ConsoleActions;
  readonly #answers: Readonly<Record<string, Answered>>;

  constructor(sources: Sources) {
    this.#sources = sources;
    this.#overview = new OverviewSampler(sources.node, sources.report);
    this.#actions = new ConsoleActions({
      run: (user, commands) => this.#run(user, commands),
      dumpTrace: () => sources.traces.dump(),
      changeTopology: sources.changeTopology,
      audit: sources.audit,
    });
    this.#answers = { ...this.#open(), ...this.#ofTraces(), ...this.#ofClients() };
  }

  readonly answer: AnswerHere = (question: NodeQuestion) => {
    const { what, args } = question;
    const known = Object.hasOwn(this.#answers, what) ? this.#answers[what] : undefined;
    if (known === undefined) throw new Error(`this node knows no question "${what}"`);
    const role = ROLES.find((each) => each === question.role);
    if (known.role !== undefined && (role === undefined || !isAtLeast(role, known.role))) {
      throw new Error(`this needs the role of ${known.role}: log in`);
    }
    return known.answer(args, question);
  };

  #open(): Record<string, Answered> {
    const { node, report } = this.#sources;
    return {
      address: { answer: () => ({ admin: formatEndpoint(node.config.listenAdmin) }) },
      overview: { answer: () => this.#overview.sample() },
      ranges: {
        answer: (): RangesSample => ({ topology: report.topology() }),
      },
      heat: {
        answer: (): HeatSample => ({
          heat: node.gateway?.insight.heat.map(node.clock.wallUs()),
        }),
      },
      actors: { answer: () => this.#actors() },
      holofast: {
        answer: (): HoloFastSample => {
          const { holofast: status, board } = node;
          return { status, phases: board.latency.report() };
        },
      },
    };
  }

  #ofTraces(): Record<string, Answered> {
    const { recorder, log, node } = this.#sources;
    const role = 'viewer';
    return {
      actor: {
        role,
        answer: ({ path = '' }) => ({
          description: descriptionOf(node.node.system.inspect(String(path))),
          messages: recorder.received(String(path), MESSAGES_SHOWN).map(shownMessage),
        }),
      },
      slow: { role, answer: () => recorder.kept.slowAfter(0).slice(-LISTED) },
      txnsOfKey: { role, answer: ({ key = '' }) => this.#txnsOfKey(String(key)) },
      trace: { role, answer: async ({ txn = '' }) => ({ text: await this.#trace(String(txn)) }) },
      logs: {
        role,
        answer: ({ after = 0 }) => {
          const { added, lines } = log.since(Number(after));
          return { added, lines: lastOf(lines, LOG_CHARS_MAX) };
        },
      },
    };
  }

  #ofClients(): Record<string, Answered> {
    const { node } = this.#sources;
    const role = 'viewer';
    const insight = () => this.#gateway().insight;
    return {
      keys: { role, answer: (args, { user }) => scanKeys((all) => this.#run(user, all), args) },
      key: { role, answer: (args, { user }) => showKey((all) => this.#run(user, all), args) },
      hotKeys: { role, answer: () => insight().hotKeys.top(LISTED) },
      bigKeys: { role, answer: () => findBigKeys(node.node.system, node.node.stores, LISTED) },
      slowLog: { role, answer: () => insight().slowLog.newest(LISTED) },
      clients: {
        role,
        answer: async (_args, { user }) => {
          const [list] = await this.#run(user, [['CLIENT', 'LIST']]);
          return { list: String(whole(list)) };
        },
      },
      channels: { role, answer: (_args, { user }) => this.#channels(user) },
      act: {
        role: 'operator',
        answer: (args, { user = '', role }) => this.#actions.act(args, user, role),
      },
    };
  }

  #actors(): ActorsSample {
    const { system } = this.#sources.node.node;
    const { deadLetters } = system;
    return {
      tree: system.outline,
      monotonicMs: this.#sources.node.clock.monotonicMs(),
      deadLetters: deadLetters.since(deadLetters.total - DEAD_LETTERS_SHOWN).toReversed(),
    };
  }

  /** Kept ones, and what the replicas still know. */
  async #txnsOfKey(key: string): Promise<unknown> {
    const { system, stores } = this.#sources.node.node;
    const kept = this.#sources.recorder.kept.slowOn(slotOfText(key));
    return [...kept.slice(-LISTED), ...(await findTxns(system, stores, key, LISTED))];
  }

  /** In slices, as the whole ring is looked through. */
  async #trace(txn: string): Promise<string> {
    let text = '';
    const sink = new Writable({
      write: (chunk, _encoding, done) => {
        if (text.length < TRACE_CHARS_MAX) text += String(chunk);
        done();
      },
    });
    await writePaced(this.#sources.traces.pieces('jsonl', txn), sink, { stalledMsMax: 1_000 });
    if (text.length > TRACE_CHARS_MAX) throw new Error('it is too long: use holoctl trace dump');
    return text;
  }

  async #channels(user: string | undefined): Promise<unknown> {
    const [found] = await this.#run(user, [['PUBSUB', 'CHANNELS']]);
    const names = (whole(found) as string[]).slice(0, LISTED);
    const [counts] = await this.#run(user, [['PUBSUB', 'NUMSUB', ...names]]);
    const pairs = whole(counts) as RedisReply[];
    return names.map((name, index) => ({ name, subscribers: pairs[2 * index + 1] ?? 0 }));
  }

  #run(user: string | undefined, commands: readonly (readonly string[])[]): Promise<RedisReply[]> {
    return runAs(this.#gateway(), user, commands);
  }

  #gateway() {
    const { gateway } = this.#sources.node;
    if (gateway === undefined) throw new Error('the node does not serve clients yet');
    return gateway;
  }
}

function descriptionOf(inspection: Inspection | undefined): string | undefined {
  if (inspection?.kind !== 'actor') return undefined;
  return JSON.stringify(inspection.description, null, 2);
}

function shownMessage(event: TraceEvent): unknown {
  if (event.kind !== 'recv') return undefined;
  const { t, from, msg, durUs, depth } = event;
  return { t, from, msg, durUs, depth };
}

/** As many of the last lines as fit. */
function lastOf(lines: readonly string[], charsMax: number): readonly string[] {
  let chars = 0;
  const first = lines.findLastIndex((line) => {
    chars += line.length;
    return chars > charsMax;
  });
  return lines.slice(first + 1);
}
