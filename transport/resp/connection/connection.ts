/**
 * One client of the gateway. It parses the input, answers the gateway's own commands, and sends all
 * others as one unit, cut into parts, to the coordinator. While that unit is in progress all later
 * input waits, which keeps the order of a pipeline without bookkeeping per command. It owns no
 * timer and no system socket: the gateway ticks it, `ClientSocket` carries bytes.
 */
import { arityError, fitsArity } from '../../../storage/commands/command.ts';
import type { User } from '../../access/acl/user.ts';
import type { UserRows } from '../../access/acl/user-table.ts';
import type { ReplyWriter } from '../codec/encoder.ts';
import { NEED_MORE, REQUEST, RequestParser } from '../codec/parser.ts';
import type { GatewayCore } from '../gateway-core.ts';
import type { GatewayServices } from '../gateway-services.ts';
import { GREEDY_BYTES_MIN } from '../memory-budget.ts';
import {
  KEYS_NONE,
  type LocalContext,
  type LocalRoute,
  NOT_IN_MULTI,
  type Route,
  type StoreRoute,
} from '../routes.ts';
import type { ClusterChanges } from '../settings-registry.ts';
import type { ClientTracking, Invalidated } from '../tracking/client-tracking.ts';
import type { TrackingOptions } from '../tracking/tracking-options.ts';
import { ByteQueue } from './byte-queue.ts';
import { ClientAccess } from './client-access.ts';
import { ClientOutput } from './client-output.ts';
import type { ClientSocket } from './client-socket.ts';
import { type ClientState, type ClientView, isSubscriber, newClientState } from './client-state.ts';
import { ClientWait } from './client-wait.ts';
import { ConnectionDeadlines, type Expiry } from './connection-deadlines.ts';
import { DataGrowth } from './data-growth.ts';
import { LocalRuns } from './local-runs.ts';
import { MultiBlock } from './multi-block.ts';
import { OwnUnits } from './own-units.ts';
import type { Part, PartAnswer, UnitId } from './part.ts';
import { TrackedClient } from './tracked-client.ts';
import { UnitBuilder } from './unit-builder.ts';
import { UnitLimits } from './unit-limits.ts';
import type { ReplyOutput, UnitUnderWay } from './unit-under-way.ts';

type Request = Pick<RequestParser, 'args' | 'buffer' | 'start' | 'end'>;

const DISCARDED: ReplyOutput = { reply: () => undefined };
const EXECABORT = 'EXECABORT Transaction discarded because of previous errors.';
/** Redis' text. */
const OUT_OF_MEMORY = "OOM command not allowed when used memory > 'maxmemory'.";
/** Commands of a RESP2 client with subscriptions. */
const SUBSCRIBER_COMMANDS: ReadonlySet<string> = new Set([
  ...['SUBSCRIBE', 'PSUBSCRIBE', 'SSUBSCRIBE'],
  ...['UNSUBSCRIBE', 'PUNSUBSCRIBE', 'SUNSUBSCRIBE'],
  ...['PING', 'QUIT', 'RESET'],
]);
const USER_CHANGED = 'EXECABORT Transaction discarded because the permissions of its user changed.';
/** Redis' text: it takes a monitor for a replica. */
const MONITOR_ERROR = "ERR Replica can't interact with the keyspace";

/** `closing`: no more requests, replies still go out. `ended`: only the socket's end is awaited. */
type ConnectionState = 'open' | 'closing' | 'ended' | 'closed';

export const DRAINING = 'SHUTDOWN refused, nothing was done: this node is draining';

export class Connection implements LocalContext, ClientView, ReplyOutput {
  readonly client: ClientState;
  inExec = false;
  readonly #core: GatewayCore;
  readonly #socket: ClientSocket;
  readonly #parser: RequestParser;
  readonly #builder: UnitBuilder;
  readonly #limits: UnitLimits;
  /** Shared by all connections: every method leaves it empty. */
  readonly #out: ReplyWriter;
  #state: ConnectionState = 'open';
  #multi: MultiBlock | undefined;
  /** Chunks that arrived while a unit was in progress. */
  readonly #waiting = new ByteQueue<Buffer>();
  /** The parser's last request waits for the unit before it. */
  #held = false;
  /** Nothing to parse until more bytes come. */
  #exhausted = true;
  #pumping = false;
  #inputEnded = false;
  #unit: UnitUnderWay | undefined;
  readonly #wait: ClientWait;
  #lastSequence = 0;
  /** The coordinator had no room for a part of `#unit`. */
  #refused = false;
  readonly #tracked: TrackedClient;
  /** The parser's last request waits for the end of CLIENT PAUSE. */
  #isPausedByCommand = false;
  readonly #own: OwnUnits;
  readonly #locals = new LocalRuns(this);
  /** The next unit is the one command that CLIENT REPLY SKIP was for. */
  #skipReplies = false;
  readonly #output: ClientOutput;
  /** Local commands have reached their limit of reply bytes for this turn. */
  #turnFull = false;
  #paused = false;
  /** Its part of what all clients hold. */
  #heldBytes = 0;
  #unitBytes = 0;
  readonly #growth: DataGrowth;
  #isGreedy = false;
  #greedyTicks = 0;
  #flushRequested = false;
  #lastRoute: Route | undefined;
  #hadData = false;
  readonly #deadlines: ConnectionDeadlines;
  /** Of the sample: when the parser began with the unit that is being built. 0: it is not drawn. */
  #parsedFromMs = 0;
  /** The node drains: it ends when its input does. */
  #isDismissed = false;
  readonly #clientAccess: ClientAccess;
  /** Until then nothing is parsed or written: a login has failed. */
  #heldBackUntilMs = 0;
  /** The user that the open block was judged by. */
  #multiUser: User | undefined;

  constructor(id: number, socket: ClientSocket, core: GatewayCore) {
    this.#core = core;
    this.#socket = socket;
    this.#out = core.writer;
    this.#parser = new RequestParser(core.limits);
    this.#builder = new UnitBuilder(core.placement, core.limits.pipelineOrder);
    this.#limits = new UnitLimits(core.limits, this.#builder);
    this.#growth = new DataGrowth(core.memory);
    const nowMs = core.services.clock.monotonicMs();
    this.#deadlines = new ConnectionDeadlines(core.limits, nowMs);
    this.client = newClientState(id, socket.remoteAddress, socket.localAddress, nowMs);
    this.#output = new ClientOutput(core, socket, this.client);
    this.#tracked = new TrackedClient(core, this.client, (bytes) => this.push(bytes));
    this.#clientAccess = new ClientAccess(core.access, this.client, socket.certifiedName);
    this.#own = new OwnUnits(core, this.#builder, {
      client: this.client,
      submit: (isDiscarded) => {
        this.#skipReplies = isDiscarded;
        this.#submit();
      },
      answer: (write) => {
        write(this.#protocolWriter());
        this.#send(this.#out.take());
      },
      refuseHeld: (line) => {
        this.#held = false;
        this.#reject(line);
        this.#send(this.#out.take());
      },
    });
    this.#wait = new ClientWait(core, {
      access: this.#clientAccess,
      followUsers: () => this.#followUsers(),
      nextUnit: () => this.#nextUnit(),
      submitUnit: (unit) => this.#submitUnit(unit),
      endUnit: (unit, answer) => this.#endUnit(unit, answer),
    });
    this.#userChanged();
  }

  get services(): GatewayServices {
    return this.#core.services;
  }

  get clients() {
    return this.#core.clients;
  }

  get routes() {
    return this.#core.routes;
  }

  get counters() {
    return this.#core.counters;
  }

  get insight() {
    return this.#core.insight;
  }

  get limits() {
    return this.#core.limits;
  }

  get access() {
    return this.#core.access;
  }

  get isLoggedIn(): boolean {
    return this.#clientAccess.user !== undefined;
  }

  get pubsub() {
    return this.#core.pubsub;
  }

  get inMulti(): boolean {
    return this.#multi !== undefined;
  }

  get closing(): boolean {
    return this.#state === 'closing' || this.#state === 'ended';
  }

  get isBlocked(): boolean {
    return this.#wait.isBlocked || this.#isPausedByCommand;
  }

  get multiCommands(): number {
    return this.#multi?.commands ?? -1;
  }

  get multiBytes(): number {
    return this.#multi?.bytes ?? 0;
  }

  get inputBytes(): number {
    return this.#parser.unparsedBytes + this.#waiting.bytes;
  }

  get outputBytes(): number {
    return this.#output.bytes;
  }

  /** Memory of the node, by what this client has sent and has not read. */
  get heldBytes(): number {
    const unit = this.#unit === undefined ? 0 : this.#unitBytes;
    const { bytes } = this.client.subscriptions;
    return this.inputBytes + this.multiBytes + unit + this.outputBytes + bytes;
  }

  /** Whether it holds much, and was paused for that at the last call already. */
  checkGreed(): boolean {
    this.#adjustFlow();
    this.#greedyTicks = this.#isGreedy ? this.#greedyTicks + 1 : 0;
    return this.#greedyTicks > 1;
  }

  // Events of the socket.

  /** The chunk's bytes must not change any more. */
  onData(chunk: Buffer): void {
    this.counters.bytesIn += chunk.length;
    this.counters.reads += 1;
    if (this.#state !== 'open') return;
    this.#hadData = true;
    this.#exhausted = false;
    this.#waiting.push(chunk);
    this.#pump();
  }

  onDrain(): void {
    this.#output.isBlocked = false;
    this.#giveCredit();
    this.#pump();
  }

  /** The client has closed its side; its requests so far are still answered. */
  onEnd(): void {
    this.#inputEnded = true;
    if (this.#unit?.isWaiting === true) return this.kill();
    this.#pump();
  }

  onClose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#multi = undefined;
    this.#waiting.clear();
    this.#output.clear();
    for (const part of this.#unit?.halfReceived() ?? []) this.#core.abandon(part);
    this.track(undefined);
    this.#core.monitors.remove(this);
    this.#core.pause.forget(this);
    this.#wait.abandon();
    this.#core.memory.clientBytes -= this.#heldBytes;
    this.#growth.end();
    this.#core.removed(this);
  }

  // MONITOR and CLIENT PAUSE.

  monitor(isOn: boolean): void {
    this.client.isMonitor = isOn;
    if (isOn) this.#core.monitors.add(this);
    else this.#core.monitors.remove(this);
  }

  /** Monitors see the command of the parser; a command of a block when that is executed. */
  #show({ local }: Route): void {
    const { monitors } = this.#core;
    if (!monitors.isUsed() || local?.categories.includes('@admin') === true) return;
    const isQueued = this.#multi !== undefined && local?.immediate !== true;
    if (isQueued) this.#multi?.shown.push(this.#texts());
    else monitors.show(this.client, this.client.database, this.#texts());
  }

  pauseClients(ms: number, isForAll: boolean): void {
    this.#core.pauseClients(ms, isForAll);
  }

  unpauseClients(): void {
    this.#core.pause.end();
  }

  /** `true`: the request of the parser waits for the end of the pause. */
  #waitsForPause(route: Route): boolean {
    const multi = this.#multi;
    const isExec = route.name === 'EXEC';
    if (multi !== undefined && !isExec && route.local?.immediate !== true) return false;
    const blockWrites = isExec && multi !== undefined && multi.readsFrom > 0;
    if (!this.#core.pause.stops(route, blockWrites)) return false;
    this.#isPausedByCommand = true;
    this.#core.pause.hold(this);
    return true;
  }

  /** The pause is over. */
  resume(): void {
    this.#isPausedByCommand = false;
    this.#pump();
  }

  // Tracking.

  get tracking(): ClientTracking | undefined {
    return this.#tracked.tracking;
  }

  track(options: TrackingOptions | undefined): void {
    this.#tracked.track(options);
  }

  invalidate(keys: Invalidated, isRedirected: boolean): void {
    this.#tracked.invalidate(keys, isRedirected);
  }

  // Calls of the gateway.

  /** The node is to stop: the connection ends when the command under way has its answer. */
  dismiss(): void {
    if (this.#state !== 'open') return;
    this.#isDismissed = true;
    this.unblock(DRAINING);
    this.#pump();
  }

  kill(): void {
    if (this.#state === 'closed') return;
    this.#socket.destroy();
    this.onClose();
  }

  /**
   * Data that is no reply (pub/sub, invalidation), complete and in the client's protocol. It is
   * written behind the replies so far, and in front of those of a unit under way where it can be.
   */
  push(bytes: Uint8Array): void {
    if (this.#state === 'ended' || this.#exceedsOutput(bytes.length)) return;
    this.#output.push(bytes);
    this.#placePushes();
  }

  /** Offers the unit again; `false`: there is still no room. */
  retry(): boolean {
    const unit = this.#unit;
    if (!this.#refused || unit === undefined || this.#state === 'closed') return true;
    this.#refused = !this.#submitParts(unit);
    this.#adjustFlow();
    return !this.#refused;
  }

  /** Sends this turn's replies in one write. */
  flush(): void {
    this.#flushRequested = false;
    if (this.#state === 'closed' || this.#isHeldBack()) return;
    this.#output.write();
    if (this.#turnFull) {
      this.#turnFull = false;
      this.#pump();
    }
    this.#giveCredit();
    this.#finish();
    this.#adjustFlow();
  }

  /** Closes the connection when one of its deadlines has passed. */
  onTick(nowMs: number): void {
    if (this.#output.exceeds(0, nowMs)) return this.#cutOff();
    if (!this.#followUsers()) return;
    if (this.#isHeldBack() && nowMs >= this.#heldBackUntilMs) this.#releaseHeldBack();
    if (this.#unit === undefined && this.#own.checkRequest(nowMs)) this.#pump();
    const expiry = this.#expiry(nowMs);
    if (expiry === undefined) return;
    if (expiry === 'partial') this.counters.partialDisconnects += 1;
    if (expiry === 'idle') this.counters.idleDisconnects += 1;
    this.kill();
  }

  #expiry(nowMs: number): Expiry | undefined {
    const deadlines = this.#deadlines;
    if (this.#state === 'ended') return deadlines.checkEnded(nowMs, this.#socket.bufferedBytes);
    const active = this.#hadData || this.#isBusy();
    this.#hadData = false;
    if (active) this.client.activeMs = nowMs;
    const partial = this.#exhausted && !this.#paused && this.#parser.unparsedBytes > 0;
    return (
      deadlines.checkPartial(nowMs, partial ? this.#parser.requests : undefined) ??
      deadlines.checkIdle(nowMs, active || this.#isExpectedIdle())
    );
  }

  /** It is the node that has nothing to say. */
  #isExpectedIdle(): boolean {
    return isSubscriber(this.client) || this.client.isMonitor || this.#isPausedByCommand;
  }

  // Answers of the store.

  answered(answer: PartAnswer): void {
    const unit = this.#unit;
    if (unit?.id.sequence !== answer.unit.sequence) return this.#ignore(answer);
    if (answer.type === 'PartReplies' && answer.waiting !== undefined) {
      return this.#wait.foundNothing(answer);
    }
    if (answer.type === 'PartReplies' && answer.errors.length > 0 && answer.from === 0) {
      for (const code of answer.codes ?? []) this.counters.errorReply(code);
    }
    switch (unit.receive(answer, this.#outputOf(unit), this.#out)) {
      case 'ignored':
        return this.#ignore(answer);
      case 'broken':
        this.counters.outputLimitDisconnects += 1;
        return this.kill();
      case 'more':
        this.#placePushes();
        return this.#requestFlush();
      case 'done':
        if (answer.type === 'PartReplies') this.#output.renderedMs = answer.renderedMs ?? 0;
        return this.#unitDone(unit);
    }
  }

  reply(bytes: Uint8Array): void {
    this.#send(bytes);
  }

  // Commands that wait.

  unblock(line = ''): boolean {
    return this.#wait.unblock(line);
  }

  #nextUnit(): UnitId {
    this.#lastSequence += 1;
    return { connection: this.client.id, sequence: this.#lastSequence };
  }

  #endUnit(unit: UnitUnderWay, answer: Uint8Array | string): void {
    let bytes = answer;
    if (typeof bytes === 'string') {
      this.#protocolWriter().error(bytes);
      bytes = this.#out.take();
    }
    this.#outputOf(unit).reply(bytes);
    unit.startedMs = this.services.clock.monotonicMs();
    this.#unitDone(unit);
  }

  #outputOf(unit: UnitUnderWay): ReplyOutput {
    if (unit.isQuestion) return this.#own.answers;
    return unit.discarded ? DISCARDED : this;
  }

  #ignore(answer: PartAnswer): void {
    if (answer.type !== 'PartReplies') return;
    if (!answer.last) this.#core.abandon(answer);
    if (answer.waiting !== undefined) this.#core.forgetWait(answer.unit);
  }

  #unitDone(unit: UnitUnderWay): void {
    this.#unit = undefined;
    this.#wait.done(unit);
    this.#refused = false;
    if (unit.failed) this.counters.unitsFailed += 1;
    const tookMs = this.services.clock.monotonicMs() - unit.startedMs;
    unit.countDone(tookMs, this.routes);
    if (!unit.isQuestion) this.insight.unitDone(this.client, unit.parts, unit.commands, tookMs);
    if (this.#state === 'closed') return;
    if (this.#multi === undefined) this.tracking?.answered();
    this.#growth.done();
    this.client.lastUnitFailed = unit.failed;
    if (unit.isQuestion && !this.#own.answered(unit)) return;
    // Send long replies before the next unit: for a client that keeps up, the output never holds
    // two units at once.
    if (this.#output.queuedBytes > this.#core.limits.localReplyBytesMax) this.#turnFull = true;
    this.#pump();
  }

  /** The client has taken what came of long replies: asks for more. */
  #giveCredit(): void {
    const unit = this.#unit;
    if (unit === undefined || this.#output.isBlocked || this.#state === 'closed') return;
    for (const credit of unit.credits()) this.#core.giveCredit(credit);
    if (!this.#refused) this.#submitUnit(unit);
  }

  // Requests of local commands.

  beginMulti(): boolean {
    if (this.#multi !== undefined) return false;
    this.#multi = new MultiBlock(this.client.database);
    this.#multiUser = this.#clientAccess.user;
    return true;
  }

  discardMulti(): boolean {
    this.#growth.end();
    const open = this.#multi !== undefined;
    this.#multi = undefined;
    if (open) this.#own.watched.clear();
    return open;
  }

  exec(out: ReplyWriter): void {
    const block = this.#multi;
    if (block === undefined) {
      this.#error('ERR EXEC without MULTI');
      return;
    }
    this.#multi = undefined;
    const guard = this.#own.watched.takeGuard();
    if (block.spoiled || this.#multiUser !== this.#clientAccess.user) {
      this.#error(block.spoiled ? EXECABORT : USER_CHANGED);
      return;
    }
    for (const words of block.shown) this.#core.monitors.show(this.client, block.database, words);
    this.#placeLocals();
    const needsStore = block.count > 0 || guard !== undefined;
    const later = needsStore && block.travelsAlone;
    const locals = later
      ? this.#locals.queuedForLater(block, () => this.#protocolWriter())
      : this.#locals.runQueued(block, out, (bytes) => this.#exceedsOutput(bytes));
    this.counters.commands += block.calls.countCalls();
    if (needsStore) {
      this.#builder.addExec(block, locals, guard);
      return;
    }
    out.array(locals.length);
    for (const { reply } of locals) out.raw(typeof reply === 'function' ? reply() : reply);
  }

  watch(keys: readonly string[], out: ReplyWriter): void {
    this.#own.watch(keys, out);
  }

  unwatch(): void {
    this.#own.watched.clear();
  }

  changeCluster(changes: ClusterChanges): void {
    this.#own.changeCluster(changes);
  }

  changeUsers(rows: UserRows, done: (out: ReplyWriter) => void): void {
    this.#own.changeUsers(rows, done);
  }

  login(name: string, password: string): boolean {
    const { clock } = this.services;
    const nowMs = clock.monotonicMs();
    const delayMs = this.#clientAccess.login(name, password, nowMs, clock.wallUs() / 1_000);
    this.#userChanged();
    if (delayMs === undefined) return true;
    if (delayMs > 0) this.#heldBackUntilMs = nowMs + delayMs;
    return false;
  }

  logout(): void {
    this.#clientAccess.reset();
    this.#userChanged();
  }

  /** Before anybody has logged in, requests must be short. */
  #userChanged(): void {
    this.#parser.isTrusted = this.isLoggedIn;
  }

  #isHeldBack(): boolean {
    return this.#heldBackUntilMs > 0;
  }

  #releaseHeldBack(): void {
    this.#heldBackUntilMs = 0;
    this.#requestFlush();
    this.#pump();
  }

  /** Takes the users as this node knows them now; `false`: this one is gone, or sees too much. */
  #followUsers(): boolean {
    this.access.refresh();
    const outcome = this.#clientAccess.refresh();
    if (outcome === 'same') return true;
    this.#userChanged();
    if (outcome === 'changed' && this.#mayKeepSubscriptions()) {
      this.#wait.judge();
      return true;
    }
    // The one that has removed its own user is answered.
    if (this.#own.asksTable) this.closeAfterReplies();
    else this.kill();
    return false;
  }

  #mayKeepSubscriptions(): boolean {
    if (!isSubscriber(this.client)) return true;
    return (['channel', 'pattern', 'shard'] as const).every((kind) =>
      this.#clientAccess.allowsChannels(this.pubsub.namesOf(kind, this), kind === 'pattern'),
    );
  }

  closeAfterReplies(): void {
    if (this.#state === 'open') this.#state = 'closing';
  }

  // The pump: from bytes to units and replies.

  #pump(): void {
    if (this.#pumping || this.#state === 'closed') return;
    if (!this.#followUsers()) return;
    this.#pumping = true;
    while (this.#mayParse()) {
      this.#parsedFromMs = this.insight.units.takes() ? this.services.clock.monotonicMs() : 0;
      this.#parse();
      // The coordinator may answer within `submit`; then parse on.
      if (this.#builder.count > 0) this.#submit();
    }
    if (this.#out.length > 0) this.#send(this.#out.take());
    this.#pumping = false;
    this.#placePushes();
    const isLast = this.#inputEnded || this.#isDismissed;
    if (isLast && this.#exhausted && !this.#isBusy()) this.closeAfterReplies();
    if (this.#state === 'closing') this.#requestFlush();
    this.#adjustFlow();
  }

  #isBusy(): boolean {
    return this.#unit !== undefined || this.#own.asksTable;
  }

  #mayParse(): boolean {
    return (
      this.#state === 'open' &&
      !this.#exhausted &&
      !this.#isBusy() &&
      !this.#isHeldBack() &&
      !this.#isPausedByCommand &&
      !this.#output.isBlocked &&
      !this.#turnFull
    );
  }

  /** Parses until the input ends or a request must wait. */
  #parse(): void {
    while (this.#state === 'open' && !this.#turnFull && !this.#isHeldBack()) {
      const outcome = this.#held ? REQUEST : this.#parser.next();
      this.#held = false;
      if (outcome === REQUEST) {
        if (this.#accept()) continue;
        return;
      }
      if (outcome === NEED_MORE) {
        if (this.#refill()) continue;
        this.#exhausted = true;
        return;
      }
      this.counters.protocolErrors += 1;
      this.#error(`ERR ${this.#parser.error}`);
      this.closeAfterReplies();
    }
  }

  #refill(): boolean {
    if (this.#waiting.bytes === 0) return false;
    this.#parser.feed(this.#waiting.takeSome());
    return true;
  }

  /** `false`: no further request before the unit is answered. */
  #accept(): boolean {
    if (this.#builder.isAlone) return this.#hold();
    return this.client.replyMode === 'skip-next' ? this.#acceptUnanswered() : this.#acceptNext();
  }

  #acceptNext(): boolean {
    const parser = this.#parser;
    if (this.#core.isDraining) return this.#refuseToBegin();
    const route = this.#core.routes.find(parser.args);
    if (route === undefined) {
      this.#reject(this.#core.routes.unknown(parser.args));
      return true;
    }
    if (!fitsArity(route.arity, parser.args.count)) {
      route.rejected += 1;
      this.#rejectArity(route);
      return true;
    }
    if (isSubscriber(this.client) && !this.#maySubscriberSend(route)) {
      route.rejected += 1;
      this.#reject(subscriberError(route.label));
      return true;
    }
    const refusal = this.#refusalOf(route);
    if (refusal !== undefined) {
      route.rejected += 1;
      this.#reject(refusal);
      return true;
    }
    if (this.client.isMonitor && route.local === undefined) {
      route.rejected += 1;
      this.#reject(MONITOR_ERROR);
      return true;
    }
    if (this.#core.pause.isOn() && this.#waitsForPause(route)) return this.#hold();
    return route.local === undefined ? this.#acceptStore(route) : this.#acceptLocal(route);
  }

  #refuseToBegin(): true {
    this.#isDismissed = true;
    this.#reject(DRAINING);
    return true;
  }

  /** The error line of a command that the user may not run. */
  #refusalOf(route: Route): string | undefined {
    const access = this.#clientAccess;
    if (access.isFree) return undefined;
    const wallMs = (): number => this.services.clock.wallUs() / 1_000;
    return access.refusal(route, this.#parser.args, this.inMulti, wallMs);
  }

  /** A RESP2 client with subscriptions could not tell replies from messages. */
  #maySubscriberSend({ name }: Route): boolean {
    return this.client.protocol === 3 || SUBSCRIBER_COMMANDS.has(name);
  }

  /** The parser's request, or the one that travels in its place; `undefined`: it is to wait. */
  #requestOf({ command }: StoreRoute): Request | undefined {
    if (command.group !== 'scripting') return this.#parser;
    const isFresh = this.#own.takeFreshness();
    const { permissions } = this.#clientAccess;
    const other = this.#core.scripts.travelling(this.#parser.args, permissions, isFresh);
    if (other === 'unknown' && !isFresh) return undefined;
    if (other === undefined || other === 'unknown') return this.#parser;
    return { args: other.args, buffer: other.bytes, start: 0, end: other.bytes.length };
  }

  /** A command on the cluster's table, which the meta group has. */
  #acceptTable(route: StoreRoute): boolean {
    if (this.#multi !== undefined) {
      this.#reject(NOT_IN_MULTI);
      return true;
    }
    if (this.#builder.count > 0) return this.#hold();
    if (route.grows && !this.#mayGrow(route)) return true;
    this.#lastRoute = route;
    this.#placeLocals();
    route.calls += 1;
    this.counters.commands += 1;
    this.#show(route);
    const { args, buffer, start, end } = this.#parser;
    this.#own.askTable(route, args, Buffer.from(buffer.subarray(start, end)));
    return true;
  }

  /** The parser's request names a script or function that this node may not know yet. */
  #waitForTable(): boolean {
    if (this.#builder.count === 0) {
      this.#placeLocals();
      this.#own.freshenTable();
    }
    return this.#hold();
  }

  #acceptStore(route: StoreRoute): boolean {
    if (route.command.ofTable === true) return this.#acceptTable(route);
    const request = this.#requestOf(route);
    if (request === undefined) return this.#waitForTable();
    const { args, buffer, start, end } = request;
    this.#lastRoute = route;
    const isLong = args.count > this.#core.limits.transactionKeysMax;
    if (isLong && this.#limits.namesTooMany(route, args, 0)) {
      route.rejected += 1;
      this.#reject(this.#limits.tooManyKeys());
      return true;
    }
    if (route.grows && !this.#mayGrow(route)) return true;
    if (route.keys !== KEYS_NONE && this.insight.hotKeys.takes()) {
      this.insight.keysNamed(route, args, this.client.database);
    }
    if (this.#multi !== undefined) {
      if (this.#mayQueue(this.#multi, route)) {
        const { database } = this.#multi;
        this.#tracked.reads(route, this.#parser.args, true);
        this.#show(route);
        this.#multi.addCommand(route, args, buffer, start, end, database);
        this.#out.simple('QUEUED');
      }
      return true;
    }
    const fits =
      this.#limits.fits(1, end - start) &&
      !this.#limits.namesTooMany(route, this.#parser.args, this.#builder.keys);
    if (!fits || !this.#builder.admits(route, args)) return this.#hold();
    route.calls += 1;
    this.counters.commands += 1;
    if (this.#out.length > 0) this.#placeLocals();
    this.#tracked.reads(route, this.#parser.args, false);
    this.#show(route);
    this.#builder.addCommand(route, args, buffer, start, end, this.client.database);
    if (route.waits) this.#wait.begin(route, args, this.client.database);
    return true;
  }

  /** `false`: it is refused, for want of memory. */
  #mayGrow(route: StoreRoute): boolean {
    if (this.#growth.admits(route, this.#parser.args, this.#bytesOf)) return true;
    this.counters.memoryRefusals += 1;
    route.rejected += 1;
    this.#reject(OUT_OF_MEMORY);
    return false;
  }

  /** Of the value of the key in argument `i` of the command that is parsed. */
  readonly #bytesOf = (i: number): number =>
    this.services.bytesOf(this.client.database, this.#parser.args.text(i));

  #acceptLocal(route: LocalRoute): boolean {
    const { local } = route;
    const { start, end } = this.#parser;
    const multi = this.#multi;
    this.#lastRoute = route;
    if (multi !== undefined && local.immediate !== true) {
      if (this.#mayQueue(multi)) {
        multi.addLocal(route, this.#texts(), end - start);
        this.#show(route);
        this.#protocolWriter().simple('QUEUED');
      }
      return true;
    }
    const execs = local.name === 'EXEC' && multi !== undefined;
    if (execs) multi.travelsAlone ||= this.#own.watched.size > 0;
    if (this.#builder.count > 0) {
      if (local.afterAll === true) return this.#hold();
      const needsStore = execs && (multi.count > 0 || this.#own.watched.size > 0);
      if (needsStore && !this.#limits.admitsBlock(multi)) return this.#hold();
    }
    if (local.afterAll === true) this.#placeLocals();
    this.client.lastCommand = route.label;
    this.#locals.run(route, this.#texts(), this.#protocolWriter());
    this.#show(route);
    const isClient = local.name.startsWith('CLIENT|');
    if (this.#multi === undefined && !isClient) this.tracking?.endCaching();
    if (this.#output.hasPushes && this.#builder.count === 0) this.#placeOwnPushes();
    const bytes = this.#out.length + this.#output.queuedBytes + this.#builder.localBytes;
    if (bytes > this.#core.limits.localReplyBytesMax) {
      this.#turnFull = true;
      this.#requestFlush();
    }
    return true;
  }

  /** The one command after CLIENT REPLY SKIP: its reply is dropped. */
  #acceptUnanswered(): boolean {
    this.client.replyMode = 'skip';
    this.#acceptNext();
    const { client } = this;
    if (this.#held) {
      client.replyMode = 'skip-next';
      return false;
    }
    // CLIENT REPLY ON is always answered: the client waits for it.
    if (client.replyMode === 'on') return true;
    if (client.replyMode === 'skip') client.replyMode = 'on';
    this.#out.take();
    this.#skipReplies = this.#builder.count > 0;
    return !this.#skipReplies;
  }

  #hold(): false {
    this.#held = true;
    return false;
  }

  #mayQueue(multi: MultiBlock, route?: StoreRoute): boolean {
    const { start, end, args } = this.#parser;
    const refusal = this.#limits.refusalOf(multi, end - start, args, route);
    if (refusal !== undefined) this.#reject(refusal);
    return refusal === undefined;
  }

  #texts(): string[] {
    const { args } = this.#parser;
    return Array.from({ length: args.count }, (_, i) => args.text(i));
  }

  /** The reply of a command that cannot run; inside a MULTI block it spoils the block. */
  #reject(line: string): void {
    if (this.#multi !== undefined) this.#multi.spoiled = true;
    this.#error(line);
  }

  /** A rejected EXEC ends its block as well: nothing after it is queued. */
  #rejectArity(route: Route): void {
    const line = arityError(route.name);
    if (route.name !== 'EXEC') return this.#reject(line);
    this.#multi = undefined;
    this.#own.watched.clear();
    this.#error(`EXECABORT Transaction discarded because of: ${line.slice('ERR '.length)}`);
  }

  #error(line: string): void {
    this.#protocolWriter().error(line);
  }

  #protocolWriter(): ReplyWriter {
    this.#out.protocol = this.client.protocol;
    return this.#out;
  }

  /** Places the local replies behind the commands that preceded them. */
  #placeLocals(): void {
    if (this.#out.length === 0) return;
    const bytes = this.#out.take();
    if (this.#builder.count > 0) this.#builder.addLocal(bytes);
    else this.#send(bytes);
  }

  #submit(): void {
    this.#placeLocals();
    const startedMs = this.services.clock.monotonicMs();
    const isSample = this.#parsedFromMs > 0;
    if (isSample) this.services.phase('parse', startedMs - this.#parsedFromMs);
    this.#parsedFromMs = 0;
    const unit = this.#builder.build({
      id: this.#nextUnit(),
      protocol: this.client.protocol,
      window: this.#core.limits.replyWindowBytes,
      startedMs,
      isSample,
      discarded: this.#skipReplies,
      isQuestion: this.#builder.isQuestion,
    });
    this.#skipReplies = false;
    this.#unit = unit;
    this.#unitBytes = unit.parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
    if (this.#lastRoute !== undefined) this.client.lastCommand = this.#lastRoute.label;
    this.counters.unitsSubmitted += 1;
    if (!this.#wait.queuesUp(unit)) this.#submitUnit(unit);
  }

  #submitUnit(unit: UnitUnderWay): void {
    if (this.#submitParts(unit)) return;
    this.counters.unitsRefused += 1;
    this.#refused = true;
    this.#core.refused(this);
  }

  /** `false`: there is no room for all of them yet. */
  #submitParts(unit: UnitUnderWay): boolean {
    while (unit.submitted < unit.parts.length && !unit.isWaiting) {
      const part = unit.parts[unit.submitted] as Part;
      // It may be answered, and be to be repeated, within the call.
      unit.submitted += 1;
      if (this.#core.submit(part)) continue;
      unit.submitted -= 1;
      return false;
    }
    return true;
  }

  // Output and flow.

  /** Pushes of a local command to its own client stand behind its reply, as in Redis 7.2. */
  #placeOwnPushes(): void {
    this.#placeLocals();
    this.#writePushes();
  }

  #writePushes(): void {
    this.#output.placePushes();
    this.#requestFlush();
  }

  #placePushes(): void {
    // A command that runs now may have written half of its reply.
    if (!this.#output.hasPushes || this.#pumping || this.#unit?.isAtBoundary === false) return;
    this.#writePushes();
  }

  #send(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.client.replyMode === 'off' || this.#state === 'closed') return;
    this.#output.add(bytes);
    if (!this.#exceedsOutput(0)) this.#requestFlush();
  }

  /** Whether `more` bytes exceed the output limit; the client is then disconnected. */
  #exceedsOutput(more: number): boolean {
    if (this.#state === 'closed') return true;
    if (!this.#output.exceeds(more, this.services.clock.monotonicMs())) return false;
    this.#cutOff();
    return true;
  }

  #cutOff(): void {
    if (this.#state === 'closed') return;
    this.counters.outputLimitDisconnects += 1;
    this.kill();
  }

  #requestFlush(): void {
    if (this.#flushRequested) return;
    this.#flushRequested = true;
    this.#core.requestFlush(this);
  }

  /** After the last reply: closes our side and waits for the client's end. */
  #finish(): void {
    const done = !this.#isBusy() && this.#output.queuedBytes === 0 && !this.#isHeldBack();
    if (this.#state !== 'closing' || !done) return;
    this.#state = 'ended';
    this.#waiting.clear();
    // Unread bytes would turn the close into a reset, and the client could lose the last reply.
    this.#adjustFlow();
    this.#socket.end();
  }

  #adjustFlow(): void {
    const { pendingBytesMax } = this.#core.limits;
    const waits = this.#isBusy() || this.#turnFull || this.#isHeldBack();
    const full = waits && this.inputBytes > (this.#paused ? pendingBytesMax / 2 : pendingBytesMax);
    if (this.#state !== 'closed') this.#charge();
    const waitsForOthers = this.#refused || this.#output.isBlocked || this.#isGreedy;
    const pause = this.#state !== 'ended' && (waitsForOthers || full);
    if (pause === this.#paused || this.#state === 'closed') return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }

  #charge(): void {
    const { memory } = this.#core;
    const held = this.heldBytes;
    memory.clientBytes += held - this.#heldBytes;
    this.#heldBytes = held;
    this.#isGreedy = memory.isCrowded && held >= GREEDY_BYTES_MIN;
  }
}

/** Redis' text. */
function subscriberError(label: string): string {
  const allowed = '(P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET';
  return `ERR Can't execute '${label}': only ${allowed} are allowed in this context`;
}
