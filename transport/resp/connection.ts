/**
 * One client of the gateway. It parses what the socket gives, answers the gateway's own commands,
 * and sends all others as one unit to the coordinator; while that unit is under way everything
 * behind it waits, which keeps the order of a pipeline without any bookkeeping per command. It
 * owns no timer and no socket of the system: the gateway ticks it, `ClientSocket` carries bytes.
 */
import { arityError } from '../../storage/command.ts';
import { unknownCommandError } from '../../storage/command-table.ts';
import type { ClientSocket } from './client-socket.ts';
import { type ClientState, type ClientView, newClientState } from './client-state.ts';
import { UnitBuilder, type UnitContent } from './command-batch.ts';
import type { CommandUnit, ExecLocal } from './command-unit.ts';
import type { ReplyWriter } from './encoder.ts';
import type { GatewayCore } from './gateway-core.ts';
import type { GatewayServices, LocalContext } from './local-command.ts';
import { MultiBlock } from './multi-block.ts';
import { NEED_MORE, REQUEST, RequestParser } from './parser.ts';
import { fitsArity, type LocalRoute, type Route, type StoreRoute } from './routes.ts';
import { failureReplies } from './unit-replies.ts';

const EXECABORT = 'EXECABORT Transaction discarded because of previous errors.';
const MULTI_TOO_LARGE = 'ERR MULTI block is too large';
/** After the last reply the client has so long to close its side. */
const CLOSE_MS_MAX = 5_000;
const EMPTY = new Uint8Array(0);

/** `closing`: no more requests, replies still go out. `ended`: only the socket's end is awaited. */
type ConnectionState = 'open' | 'closing' | 'ended' | 'closed';

export class Connection implements LocalContext, ClientView {
  readonly client: ClientState;
  inExec = false;
  readonly #core: GatewayCore;
  readonly #socket: ClientSocket;
  readonly #parser: RequestParser;
  readonly #builder = new UnitBuilder();
  /** Shared by all connections: it is empty whenever this one is left. */
  readonly #out: ReplyWriter;
  #state: ConnectionState = 'open';
  #multi: MultiBlock | undefined;
  /** Chunks that came while a unit was under way. */
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  /** The parser's last request waits for the unit before it. */
  #held = false;
  /** Nothing to parse until more bytes come. */
  #exhausted = true;
  #pumping = false;
  #inputEnded = false;
  #unit: ConnectionUnit | undefined;
  /** The coordinator had no room for `#unit`. */
  #refused = false;
  /** The next unit is the one command that CLIENT REPLY SKIP was for. */
  #skipReplies = false;
  #output: Uint8Array[] = [];
  #outputBytes = 0;
  /** The socket has enough; parsing waits for `onDrain`. */
  #outputBlocked = false;
  /** Local commands have written enough for this turn. */
  #turnFull = false;
  #paused = false;
  #flushRequested = false;
  #lastRoute: Route | undefined;
  #hadData = false;
  #partialRequest = -1;
  #sinceMs = 0;

  constructor(id: number, socket: ClientSocket, core: GatewayCore) {
    this.#core = core;
    this.#socket = socket;
    this.#out = core.writer;
    this.#parser = new RequestParser(core.limits);
    const nowMs = core.services.clock.monotonicMs();
    this.client = newClientState(id, socket.remoteAddress, socket.localAddress, nowMs);
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

  get inMulti(): boolean {
    return this.#multi !== undefined;
  }

  get multiCommands(): number {
    return this.#multi?.commands ?? -1;
  }

  get multiBytes(): number {
    return this.#multi?.bytes ?? 0;
  }

  get inputBytes(): number {
    return this.#parser.unparsedBytes + this.#waitingBytes;
  }

  get outputBytes(): number {
    return this.#outputBytes + this.#socket.bufferedBytes;
  }

  // What the socket says.

  /** The chunk's bytes must not change any more. */
  onData(chunk: Buffer): void {
    this.counters.bytesIn += chunk.length;
    this.counters.reads++;
    if (this.#state !== 'open') return;
    this.#hadData = true;
    this.#exhausted = false;
    this.#waiting.push(chunk);
    this.#waitingBytes += chunk.length;
    this.#pump();
  }

  onDrain(): void {
    this.#outputBlocked = false;
    this.#pump();
  }

  /** The client sends nothing more; what it has sent is still answered. */
  onEnd(): void {
    this.#inputEnded = true;
    this.#pump();
  }

  onClose(): void {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#multi = undefined;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#output = [];
    this.#outputBytes = 0;
    if (this.#refused) this.#unit = undefined;
    this.#core.removed(this);
  }

  // What the gateway says.

  kill(): void {
    if (this.#state === 'closed') return;
    this.#socket.destroy();
    this.onClose();
  }

  /** Offers the unit again; `false`: there is still no room. */
  retry(): boolean {
    const unit = this.#unit;
    if (!this.#refused || unit === undefined) return true;
    this.#refused = false;
    if (!this.#core.submit(unit)) {
      this.#refused = true;
      return false;
    }
    this.#adjustFlow();
    return true;
  }

  /** Writes what this turn's commands have answered; one write. */
  flush(): void {
    this.#flushRequested = false;
    if (this.#state === 'closed') return;
    if (this.#output.length > 0) {
      const bytes = this.#output.length === 1 ? this.#output[0] : Buffer.concat(this.#output);
      this.#output = [];
      this.#outputBytes = 0;
      this.counters.writes++;
      if (!this.#socket.write(bytes ?? EMPTY)) this.#outputBlocked = true;
    }
    if (this.#turnFull) {
      this.#turnFull = false;
      this.#pump();
    }
    this.#finish();
    this.#adjustFlow();
  }

  /** Closes what has been silent, or half said, for too long. */
  onTick(nowMs: number): void {
    const limits = this.#core.limits;
    if (this.#hadData || this.#unit !== undefined) this.client.activeMs = nowMs;
    this.#hadData = false;
    if (this.#state === 'ended') {
      if (this.#sinceMs === 0) this.#sinceMs = nowMs;
      else if (nowMs - this.#sinceMs >= CLOSE_MS_MAX) this.kill();
      return;
    }
    if (this.#exhausted && !this.#paused && this.#parser.unparsedBytes > 0) {
      if (this.#partialRequest !== this.#parser.requests) {
        this.#partialRequest = this.#parser.requests;
        this.#sinceMs = nowMs;
      } else if (nowMs - this.#sinceMs >= limits.partialRequestMsMax) {
        this.counters.partialDisconnects++;
        this.kill();
        return;
      }
    } else {
      this.#partialRequest = -1;
    }
    const idleMs = nowMs - this.client.activeMs;
    if (limits.idleTimeoutMs > 0 && idleMs >= limits.idleTimeoutMs) {
      this.counters.idleDisconnects++;
      this.kill();
    }
  }

  // What the coordinator says, through the unit.

  unitDone(unit: ConnectionUnit, replies: Uint8Array): void {
    if (unit !== this.#unit) return;
    this.#unit = undefined;
    this.#refused = false;
    if (this.#state === 'closed') return;
    this.client.lastUnitFailed = unit.failed;
    if (!unit.discarded) this.#send(replies);
    this.#pump();
  }

  failureOf(unit: ConnectionUnit, line: string): Uint8Array {
    this.counters.unitsFailed++;
    return failureReplies(unit, this.#out, line);
  }

  // What local commands ask for.

  beginMulti(): boolean {
    if (this.#multi !== undefined) return false;
    this.#multi = new MultiBlock();
    return true;
  }

  discardMulti(): boolean {
    const open = this.#multi !== undefined;
    this.#multi = undefined;
    return open;
  }

  exec(out: ReplyWriter): void {
    const block = this.#multi;
    if (block === undefined) {
      this.#error('ERR EXEC without MULTI');
      return;
    }
    this.#multi = undefined;
    if (block.spoiled) {
      this.#error(EXECABORT);
      return;
    }
    this.#placeLocals();
    const locals = this.#runQueued(block, out);
    if (block.count > 0) {
      this.#builder.addExec(block, locals);
      return;
    }
    out.array(locals.length);
    for (const { reply } of locals) out.raw(reply);
  }

  closeAfterReplies(): void {
    if (this.#state === 'open') this.#state = 'closing';
  }

  // The pump: from bytes to units and replies.

  #pump(): void {
    if (this.#pumping || this.#state === 'closed') return;
    this.#pumping = true;
    while (this.#mayParse()) {
      this.#parse();
      // A coordinator may answer within `submit`: then there may be more to parse.
      if (this.#builder.count > 0) this.#submit();
    }
    if (this.#out.length > 0) this.#send(this.#out.take());
    this.#pumping = false;
    if (this.#inputEnded && this.#exhausted && this.#unit === undefined) this.closeAfterReplies();
    if (this.#state === 'closing') this.#requestFlush();
    this.#adjustFlow();
  }

  #mayParse(): boolean {
    return (
      this.#state === 'open' &&
      !this.#exhausted &&
      this.#unit === undefined &&
      !this.#outputBlocked &&
      !this.#turnFull
    );
  }

  /** Parses until the input ends, or until something has to be waited for. */
  #parse(): void {
    while (this.#state === 'open' && !this.#turnFull) {
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
      this.counters.protocolErrors++;
      this.#error(`ERR ${this.#parser.error}`);
      this.closeAfterReplies();
    }
  }

  #refill(): boolean {
    const waiting = this.#waiting;
    const chunk = waiting.length === 1 ? waiting[0] : Buffer.concat(waiting);
    if (chunk === undefined || chunk.length === 0) return false;
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#parser.feed(chunk);
    return true;
  }

  /** `false`: no further request may be taken before the unit is answered. */
  #accept(): boolean {
    return this.client.replyMode === 'skip-next' ? this.#acceptUnanswered() : this.#acceptNext();
  }

  #acceptNext(): boolean {
    const parser = this.#parser;
    const route = this.#core.routes.find(parser.args);
    if (route === undefined) {
      this.#reject(unknownCommandError(parser.args));
      return true;
    }
    if (!fitsArity(route.arity, parser.args.count)) {
      route.rejected++;
      this.#reject(arityError(route.name));
      return true;
    }
    return route.local === undefined ? this.#acceptStore(route) : this.#acceptLocal(route);
  }

  #acceptStore(route: StoreRoute): boolean {
    const { args, buffer, start, end } = this.#parser;
    if (this.#multi !== undefined) {
      this.#count(route);
      if (this.#mayQueue(this.#multi)) {
        this.#multi.addCommand(route, args, buffer, start, end);
        this.#out.simple('QUEUED');
      }
      return true;
    }
    if (!this.#fits(1, end - start)) return this.#hold();
    this.#count(route);
    if (this.#out.length > 0) this.#placeLocals();
    this.#builder.addCommand(route, args, buffer, start, end);
    return true;
  }

  #acceptLocal(route: LocalRoute): boolean {
    const { local } = route;
    const { start, end } = this.#parser;
    const multi = this.#multi;
    if (multi !== undefined && local.immediate !== true) {
      this.#count(route);
      if (this.#mayQueue(multi)) {
        multi.addLocal(local, this.#texts(), end - start);
        this.#protocolWriter().simple('QUEUED');
      }
      return true;
    }
    if (this.#builder.count > 0) {
      if (local.afterAll === true) return this.#hold();
      const execs = local.name === 'EXEC' && multi !== undefined;
      if (execs && !this.#fits(multi.count, multi.bytes)) return this.#hold();
    }
    this.#count(route);
    if (local.afterAll === true) this.#placeLocals();
    this.client.lastCommand = route.label;
    local.run(this, this.#texts(), this.#protocolWriter());
    const bytes = this.#out.length + this.#outputBytes + this.#builder.localBytes;
    if (bytes > this.#core.limits.localReplyBytesMax) {
      this.#turnFull = true;
      this.#requestFlush();
    }
    return true;
  }

  /** The one command after CLIENT REPLY SKIP: what it answers is thrown away. */
  #acceptUnanswered(): boolean {
    this.client.replyMode = 'on';
    this.#acceptNext();
    this.#out.take();
    this.#skipReplies = this.#builder.count > 0;
    return !this.#skipReplies;
  }

  #hold(): false {
    this.#held = true;
    return false;
  }

  /** Whether so much may still join the unit; a unit takes at least one command, or block. */
  #fits(count: number, bytes: number): boolean {
    const builder = this.#builder;
    if (builder.count === 0) return true;
    const { unitCommandsMax, unitBytesMax } = this.#core.limits;
    return builder.count + count <= unitCommandsMax && builder.runs.length + bytes <= unitBytesMax;
  }

  #mayQueue(multi: MultiBlock): boolean {
    const { start, end } = this.#parser;
    const { multiCommandsMax, multiBytesMax } = this.#core.limits;
    if (multi.commands < multiCommandsMax && multi.bytes + end - start <= multiBytesMax) {
      return true;
    }
    this.#reject(MULTI_TOO_LARGE);
    return false;
  }

  #runQueued(block: MultiBlock, out: ReplyWriter): ExecLocal[] {
    this.inExec = true;
    const replies = block.locals.map(({ before, command, args }) => {
      command.run(this, args, out);
      return { before, reply: out.take() };
    });
    this.inExec = false;
    return replies;
  }

  #texts(): string[] {
    const { args } = this.#parser;
    return Array.from({ length: args.count }, (_, i) => args.text(i));
  }

  #count(route: Route): void {
    route.calls++;
    this.counters.commands++;
    this.#lastRoute = route;
  }

  /** The reply of a command that cannot run; inside a MULTI block it spoils the block. */
  #reject(line: string): void {
    if (this.#multi !== undefined) this.#multi.spoiled = true;
    this.#error(line);
  }

  #error(line: string): void {
    this.#protocolWriter().error(line);
  }

  #protocolWriter(): ReplyWriter {
    this.#out.protocol = this.client.protocol;
    return this.#out;
  }

  /** Puts the local replies behind the commands that were before them. */
  #placeLocals(): void {
    if (this.#out.length === 0) return;
    const bytes = this.#out.take();
    if (this.#builder.count > 0) this.#builder.addLocal(bytes);
    else this.#send(bytes);
  }

  #submit(): void {
    this.#placeLocals();
    const unit = new ConnectionUnit(this, this.#builder.build());
    unit.discarded = this.#skipReplies;
    this.#skipReplies = false;
    this.#unit = unit;
    if (this.#lastRoute !== undefined) this.client.lastCommand = this.#lastRoute.label;
    this.counters.unitsSubmitted++;
    if (this.#core.submit(unit)) return;
    this.counters.unitsRefused++;
    this.#refused = true;
    this.#core.refused(this);
  }

  // Output and flow.

  #send(bytes: Uint8Array): void {
    if (bytes.length === 0 || this.client.replyMode === 'off' || this.#state === 'closed') return;
    this.#output.push(bytes);
    this.#outputBytes += bytes.length;
    this.counters.bytesOut += bytes.length;
    if (this.outputBytes > this.#core.limits.outputBytesMax) {
      this.counters.outputLimitDisconnects++;
      this.kill();
      return;
    }
    this.#requestFlush();
  }

  #requestFlush(): void {
    if (this.#flushRequested) return;
    this.#flushRequested = true;
    this.#core.requestFlush(this);
  }

  /** After the last reply: our side is closed, and the client's end is awaited. */
  #finish(): void {
    const done = this.#unit === undefined && this.#output.length === 0;
    if (this.#state !== 'closing' || !done) return;
    this.#state = 'ended';
    this.#sinceMs = 0;
    this.#waiting = [];
    this.#waitingBytes = 0;
    // Unread bytes would turn the close into a reset, which can cost the client the last reply.
    this.#adjustFlow();
    this.#socket.end();
  }

  #adjustFlow(): void {
    const { pendingBytesMax } = this.#core.limits;
    const waits = this.#unit !== undefined || this.#turnFull;
    const full = waits && this.inputBytes > (this.#paused ? pendingBytesMax / 2 : pendingBytesMax);
    const pause = this.#state !== 'ended' && (this.#refused || this.#outputBlocked || full);
    if (pause === this.#paused || this.#state === 'closed') return;
    this.#paused = pause;
    if (pause) this.#socket.pause();
    else this.#socket.resume();
  }
}

/** The unit of one connection; it outlives the connection where that closes early. */
class ConnectionUnit implements CommandUnit {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly readOnly: boolean;
  readonly wholeStore: boolean;
  readonly slots: readonly number[];
  readonly protocol: 2 | 3;
  readonly plan: CommandUnit['plan'];
  failed = false;
  discarded = false;
  readonly #connection: Connection;

  constructor(connection: Connection, content: UnitContent) {
    this.#connection = connection;
    this.bytes = content.bytes;
    this.count = content.count;
    this.readOnly = content.readOnly;
    this.wholeStore = content.wholeStore;
    this.slots = content.slots;
    this.protocol = connection.client.protocol;
    this.plan = content.plan;
  }

  complete(replies: Uint8Array): void {
    this.#connection.unitDone(this, replies);
  }

  fail(line: string): void {
    this.failed = true;
    this.#connection.unitDone(this, this.#connection.failureOf(this, line));
  }
}
