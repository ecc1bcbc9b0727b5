/** The table `redis` of scripts, and what its functions need of a run. */
import { Arguments } from '../../../arguments.ts';
import { writeLatin1 } from '../../../types/latin1.ts';
import type { ReplySink } from '../../reply.ts';
import { sha1Of } from '../sha1.ts';
import { LUA_NUMBER, LUA_STRING, type LuaMachine } from './lua-machine.ts';
import type { Address } from './lua-module.ts';
import { LuaReply } from './lua-reply.ts';
import { numberText } from './number-text.ts';

const NOT_STRINGS = 'Lua redis lib command arguments must be strings or integers';
const NO_ARGUMENTS = 'Please specify at least one argument for this redis lib call';
const WRONG_TYPE = 'wrong number or type of arguments';
const SLOTS = 24;
/** A command costs at least as much as so many instructions. */
const CALL_STEPS = 200;
/** A hash, a line of the log, and other calls of the library. */
const HASH_STEPS = 300;
const LOG_STEPS = 100;
const OTHER_STEPS = 50;
const BYTES_PER_STEP_BITS = 6;
const COPY_BYTES = 16 * 1024;
/** Up to this length a loop is faster than a call into the runtime. */
const LOOPED_BYTES_MAX = 32;
const LEVELS = ['LOG_DEBUG', 'LOG_VERBOSE', 'LOG_NOTICE', 'LOG_WARNING'];
const VERSION = '7.2.0';
const VERSION_NUMBER = 0x70200;

/** Everything that a script reaches outside of Lua. */
export interface ScriptHost {
  /** Runs a command; the error line of one that scripts may not run as it is. */
  call(args: Arguments, out: ReplySink): string | undefined;
  /** The error line of a command that the user of the script may not run. */
  refusal(args: Arguments): string | undefined;
  log(level: number, text: string): void;
  /** For random numbers of the script: 32 bits, the same on every replica. */
  seed(): number;
}

export class RedisLibrary {
  readonly #machine: LuaMachine;
  readonly #args = new Arguments();
  #copy = Buffer.allocUnsafe(COPY_BYTES);
  /** The arguments of a call that are numbers, as texts. */
  readonly #numbers: string[] = [];
  readonly #reply: LuaReply;
  #host: ScriptHost | undefined;
  /** As the script has set it for its own calls. */
  protocol: 2 | 3 = 2;

  constructor(machine: LuaMachine) {
    this.#machine = machine;
    this.#reply = new LuaReply(machine);
  }

  begin(host: ScriptHost): void {
    this.#host = host;
    this.protocol = 2;
  }

  /** Pushes the table, in `LuaMachine`'s preparation. */
  install(): void {
    const machine = this.#machine;
    const { api, state } = machine;
    api.lua_createtable(state, 0, 24);
    machine.setFunction('call', (its) => this.#call(its, true));
    machine.setFunction('pcall', (its) => this.#call(its, false));
    machine.setFunction('error_reply', this.#errorReply);
    machine.setFunction('status_reply', this.#statusReply);
    machine.setFunction('sha1hex', this.#sha1hex);
    machine.setFunction('log', this.#log);
    machine.setFunction('setresp', this.#setProtocol);
    machine.setFunction('acl_check_cmd', this.#mayRun);
    machine.setFunction('set_repl', () => 0);
    machine.setFunction('replicate_commands', (its) => {
      api.lua_pushboolean(its, 1);
      return 1;
    });
    for (const name of ['breakpoint', 'debug']) {
      machine.setFunction(name, (its) => this.#raise(its, `redis.${name} is not supported`));
    }
    const constants = Object.entries({ REPL_NONE: 0, REPL_AOF: 1, REPL_SLAVE: 2, REPL_REPLICA: 2 });
    const levels = LEVELS.map((name, level) => [name, level] as const);
    const numbers = [
      ...constants,
      ...levels,
      ['REPL_ALL', 3],
      ['REDIS_VERSION_NUM', VERSION_NUMBER],
    ];
    for (const [name, value] of numbers as [string, number][]) {
      api.lua_pushnumber(state, value);
      api.lua_setfield(state, -2, machine.name(name));
    }
    machine.pushText(state, VERSION);
    api.lua_setfield(state, -2, machine.name('REDIS_VERSION'));
  }

  #call(state: Address, raises: boolean): number {
    const refusal = this.#argumentsOf(state);
    if (refusal !== undefined) return this.#failed(state, `ERR ${refusal}`, raises);
    this.#machine.charge(CALL_STEPS);
    this.#reply.begin(state, this.protocol);
    const top = this.#machine.api.lua_gettop(state);
    const failure = this.#host?.call(this.#args, this.#reply) ?? this.#reply.failure;
    if (failure === undefined) return 1;
    // Drops the part of a failed reply that was pushed.
    this.#machine.api.lua_settop(state, top);
    return this.#failed(state, failure, raises);
  }

  /** Makes a request of them all; the error line of some that are neither texts nor numbers. */
  #argumentsOf(state: Address): string | undefined {
    const machine = this.#machine;
    const { api } = machine;
    const count = machine.argumentCount(state);
    if (count === 0) return NO_ARGUMENTS;
    if (api.lua_checkstack(state, SLOTS) === 0) return 'reached lua stack limit';
    const texts = this.#numbers;
    texts.length = 0;
    let bytes = 0;
    for (let i = 0; i < count; i += 1) {
      const type = machine.argumentType(state, i);
      if (type === LUA_STRING) {
        bytes += machine.textLength(machine.argumentText(state, i));
      } else if (type === LUA_NUMBER) {
        const text = numberText(api.lua_tonumber(state, i + 1));
        texts[i] = text;
        bytes += text.length;
      } else {
        return NOT_STRINGS;
      }
    }
    this.#copyArguments(state, count, bytes);
    return undefined;
  }

  /** The reply takes memory of the machine, which moves when it grows. */
  #copyArguments(state: Address, count: number, bytes: number): void {
    const machine = this.#machine;
    machine.charge(bytes >> BYTES_PER_STEP_BITS);
    if (bytes > this.#copy.length) this.#copy = Buffer.allocUnsafe(2 * bytes);
    const copy = this.#copy;
    const memory = machine.bytes;
    this.#args.reset(copy);
    let to = 0;
    for (let i = 0; i < count; i += 1) {
      const text = this.#numbers[i];
      const from = to;
      if (text === undefined) {
        const at = machine.argumentText(state, i);
        const length = machine.textLength(at);
        copyBytes(memory, at, length, copy, to);
        to += length;
      } else {
        to += writeLatin1(copy, text, to);
      }
      this.#args.push(from, to);
    }
  }

  /** Raises an error as Redis does, or returns it. */
  #failed(state: Address, line: string, raises: boolean): number {
    this.#pushField(state, 'err', line);
    return raises ? this.#machine.api.lua_error(state) : 1;
  }

  #raise(state: Address, text: string): number {
    return this.#failed(state, `ERR ${text}`, true);
  }

  #pushField(state: Address, field: string, text: string): void {
    const { api } = this.#machine;
    api.lua_createtable(state, 0, 1);
    this.#machine.pushText(state, field);
    this.#machine.pushText(state, text);
    api.lua_rawset(state, -3);
  }

  #onlyText(state: Address): string | undefined {
    const { api } = this.#machine;
    if (api.lua_gettop(state) !== 1 || api.lua_type(state, 1) !== LUA_STRING) return undefined;
    return this.#machine.textAt(state, 1);
  }

  readonly #errorReply = (state: Address): number => {
    this.#machine.charge(OTHER_STEPS);
    const text = this.#onlyText(state);
    return this.#failed(state, text === undefined ? `ERR ${WRONG_TYPE}` : errorLine(text), false);
  };

  readonly #statusReply = (state: Address): number => {
    this.#machine.charge(OTHER_STEPS);
    const text = this.#onlyText(state);
    if (text === undefined) return this.#failed(state, `ERR ${WRONG_TYPE}`, false);
    this.#pushField(state, 'ok', text);
    return 1;
  };

  readonly #sha1hex = (state: Address): number => {
    const { api } = this.#machine;
    if (api.lua_gettop(state) !== 1) return this.#raise(state, 'wrong number of arguments');
    const { length } = this.#machine.locate(state, 1);
    this.#machine.charge(HASH_STEPS + length);
    this.#machine.pushText(state, sha1Of(this.#machine.textAt(state, 1)));
    return 1;
  };

  readonly #log = (state: Address): number => {
    const { api } = this.#machine;
    this.#machine.charge(LOG_STEPS);
    const count = api.lua_gettop(state);
    if (count < 2) return this.#raise(state, 'redis.log() requires two arguments or more.');
    if (api.lua_type(state, 1) !== LUA_NUMBER) {
      return this.#raise(state, 'First argument must be a number (log level).');
    }
    const level = Math.trunc(api.lua_tonumber(state, 1));
    if (!(level >= 0 && level < LEVELS.length)) return this.#raise(state, 'Invalid log level.');
    const words = Array.from({ length: count - 1 }, (_, i) => this.#machine.textAt(state, i + 2));
    this.#host?.log(level, words.join(' '));
    return 0;
  };

  readonly #setProtocol = (state: Address): number => {
    const { api } = this.#machine;
    if (api.lua_gettop(state) !== 1) {
      return this.#raise(state, 'redis.setresp() requires one argument.');
    }
    const protocol = api.lua_tonumber(state, 1);
    if (protocol !== 2 && protocol !== 3) {
      return this.#raise(state, 'RESP version must be 2 or 3.');
    }
    this.protocol = protocol;
    return 0;
  };

  readonly #mayRun = (state: Address): number => {
    this.#machine.charge(OTHER_STEPS);
    const refusal = this.#argumentsOf(state);
    if (refusal !== undefined) return this.#raise(state, refusal);
    const isAllowed = this.#host?.refusal(this.#args) === undefined;
    this.#machine.api.lua_pushboolean(state, Number(isAllowed));
    return 1;
  };
}

function copyBytes(memory: Buffer, at: number, length: number, copy: Buffer, to: number): void {
  if (length > LOOPED_BYTES_MAX) {
    memory.copy(copy, to, at, at + length);
    return;
  }
  for (let i = 0; i < length; i += 1) copy[to + i] = memory[at + i] as number;
}

/** As `redis.error_reply` completes it: the first word is a code if a `-` stands before it. */
function errorLine(text: string): string {
  const whole = text.replace(/^-/, '').replace(/[\r\n]+$/, '');
  return whole.includes(' ') ? whole : `ERR ${whole}`;
}
