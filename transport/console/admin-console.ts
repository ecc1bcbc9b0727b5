/**
 * The console of one node, behind its admin port: the page's files, the sockets, and the views of
 * the whole cluster that it gathers from all nodes.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { formatEndpoint, isWildcard, parseEndpoint } from '../endpoint.ts';
import type { ConsoleDoor, Identify, PageFile } from '../http/console-door.ts';
import {
  type AnswerHere,
  type Asker,
  type AskPeer,
  ClusterQuestions,
  NOBODY,
  type NodeQuestion,
} from './cluster-questions.ts';
import type { Args, LiveView, NodeAddress } from './console-protocol.ts';
import { ConsoleServer, SOCKET_PATH } from './console-server.ts';
import type { SessionOptions } from './console-session.ts';
import { perfettoOf, transactionOf } from './console-traces.ts';
import { sumOfHeat } from './heat-sum.ts';
import { LiveViews } from './live-views.ts';
import { OverviewBoard } from './overview.ts';
import { PageFiles } from './page-files.ts';
import type { HeatSample, OfNodes, OverviewSample } from './samples.ts';

interface AdminConsoleOptions {
  readonly self: number;
  readonly clusterId: string;
  /** Of the cluster, with the host at which each node's peers reach it. */
  readonly members: readonly { readonly id: number; readonly host: string }[];
  readonly consolesMax: number;
  /** Default 1000. */
  readonly viewsEveryMs?: number;
  readonly answerHere: AnswerHere;
  readonly askPeer: AskPeer;
  /** Views are open without a role. */
  readonly isOpen: boolean;
}

/** Questions that a page may ask, and of how many nodes; all need a role. */
const QUESTIONS: Readonly<Record<string, 'one' | 'all' | 'here'>> = {
  actor: 'one',
  slow: 'all',
  txnsOfKey: 'all',
  logs: 'one',
  keys: 'here',
  key: 'here',
  hotKeys: 'all',
  bigKeys: 'one',
  slowLog: 'all',
  clients: 'all',
  channels: 'here',
  act: 'here',
};

export class AdminConsole implements ConsoleDoor {
  readonly questions: ClusterQuestions;
  readonly #options: AdminConsoleOptions;
  readonly #files = new PageFiles('console');
  readonly #views: LiveViews;
  readonly #server: ConsoleServer;
  readonly #overview = new OverviewBoard();
  /** Of the admin ports, as the nodes have told. */
  readonly #addresses = new Map<number, string>();

  constructor(options: AdminConsoleOptions) {
    this.#options = options;
    this.questions = new ClusterQuestions({
      self: options.self,
      nodes: options.members.map(({ id }) => id),
      answerHere: options.answerHere,
      askPeer: options.askPeer,
      isForHere: (what) => QUESTIONS[what] === 'here',
    });
    this.#views = new LiveViews({
      gather: (view, args) => this.#gather(view, args),
      everyMs: options.viewsEveryMs,
    });
    this.#server = new ConsoleServer({
      consolesMax: options.consolesMax,
      session: (identify) => this.#sessionOf(identify),
    });
  }

  file(path: string): PageFile | undefined {
    return this.#files.file(path);
  }

  /** Asks the nodes that it does not know yet. */
  async policy(): Promise<string> {
    const unknown = this.#options.members.filter(({ id }) => !this.#addresses.has(id));
    await Promise.all(unknown.map(({ id }) => this.#askAddress(id)));
    return this.#files.policy([...this.#addresses.values()]);
  }

  /** Whether a page of this origin may open a socket here: this node's own, or a member's. */
  isOrigin(origin: string): boolean {
    return [...this.#addresses.values()].some(
      (address) => origin === `http://${address}` || origin === `https://${address}`,
    );
  }

  isSocket(path: string): boolean {
    return path === SOCKET_PATH;
  }

  get isFull(): boolean {
    return this.#server.isFull;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, identify: Identify): void {
    this.#server.upgrade(request, socket, head, identify);
  }

  close(): void {
    this.#server.close();
  }

  #sessionOf(identify: Identify): SessionOptions {
    const { self, clusterId, isOpen } = this.#options;
    return {
      ...{ self, clusterId, isOpen, identify, views: this.#views },
      nodes: () => this.#nodes(),
      ask: (what, args, asker) => this.#ask(what, args, asker),
      nowMs: () => performance.now(),
    };
  }

  #nodes(): NodeAddress[] {
    return this.#options.members.map(({ id }) => ({ node: id, admin: this.#addresses.get(id) }));
  }

  async #gather(view: LiveView, args: Args): Promise<unknown> {
    const question: NodeQuestion = { ...NOBODY, what: view, args };
    if (view === 'actors') return this.questions.one(Number(args['node']), question);
    const answers = await this.questions.all(question);
    if (view === 'heat') return heatOf(answers as OfNodes<HeatSample>);
    if (view !== 'overview') return { nodes: answers };
    const samples = answers as OfNodes<OverviewSample>;
    for (const [node, sample] of Object.entries(samples)) {
      if (typeof sample !== 'string') this.#knows(Number(node), sample.status.admin);
    }
    return this.#overview.next(samples);
  }

  async #ask(what: string, args: Args, asker: Asker): Promise<unknown> {
    if (what === 'transaction' || what === 'perfetto') {
      const answers = await this.questions.all({ what: 'trace', args, ...asker });
      const txn = String(args['txn'] ?? '');
      return what === 'perfetto' ? perfettoOf(answers) : transactionOf(answers, txn);
    }
    const whom = QUESTIONS[what];
    if (whom === undefined) throw new Error(`there is no question "${what}"`);
    const question = { what, args, ...asker };
    if (whom === 'all') return { nodes: await this.questions.all(question) };
    const node = Number(args['node'] ?? this.#options.self);
    if (whom === 'here' && node !== this.#options.self) throw new Error(this.#elsewhere(node));
    const answer = await this.questions.one(node, question);
    // A text is the reason why there is no answer.
    if (typeof answer === 'string') throw new Error(answer);
    return answer;
  }

  /** Peers do not vouch for the user of an action. */
  #elsewhere(node: number): string {
    const address = this.#addresses.get(node);
    const where = address === undefined ? 'its own admin port' : `http://${address}/`;
    return `this is done by node ${node} alone: open its console at ${where}`;
  }

  async #askAddress(node: number): Promise<void> {
    const address = await this.questions.one(node, { ...NOBODY, what: 'address', args: {} });
    const { admin } = (typeof address === 'object' ? address : {}) as { admin?: unknown };
    if (typeof admin === 'string') this.#knows(node, admin);
  }

  /** A node that listens on all addresses is found at the one by which its peers reach it. */
  #knows(node: number, admin: string): void {
    const member = this.#options.members.find(({ id }) => id === node);
    if (member === undefined || this.#addresses.get(node) === admin) return;
    const found = parseEndpoint(admin);
    if (found === undefined) return;
    const host = isWildcard(found.host) ? member.host : found.host;
    this.#addresses.set(node, formatEndpoint({ host, port: found.port }));
  }
}

function heatOf(samples: OfNodes<HeatSample>): HeatSample {
  const maps = Object.values(samples).flatMap((sample) =>
    typeof sample === 'string' ? [] : (sample.heat ?? []),
  );
  return { heat: sumOfHeat(maps) };
}
