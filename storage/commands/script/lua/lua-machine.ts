/**
 * One Lua 5.1 machine with its memory. Every run begins from the same image of the memory, so that
 * it finds the same addresses, the same order in tables and the same state of the collector on
 * every replica. Steps and bytes are counted, and a run that needs too many ends at the same place
 * everywhere: no clock is looked at.
 */
import { readLatin1, writeLatin1 } from '../../../types/latin1.ts';
import {
  type Address,
  addFunction,
  type HostFunction,
  instantiateLua,
  type LuaApi,
} from './lua-module.ts';

export const LUA_STRING = 4;
export const LUA_NUMBER = 3;
export const LUA_TABLE = 5;
export const LUA_FUNCTION = 6;
export const LUA_BOOLEAN = 1;
export const LUA_USERDATA = 2;
export const GLOBALS = -10_002;
/** As `lua_pcall` takes it: as many results as there are. */
export const ALL_RESULTS = -1;

const MASK_COUNT = 8;
/** The hook runs behind so many instructions. */
const HOOK_STEPS = 100;
/** An instruction may go through all of the longest text: for each 512 bytes, one step more. */
const TEXT_BYTES_PER_STEP_BITS = 9;
/** The length of a text that is joined in the preparation alone. */
const PROBE_BYTES = 6_000;
/** An error that is raised leaves all functions up to the one that catches it. */
const ERROR_STEPS = 1_000;
/** A call of a function of the host, or of one in C, does about as much. */
const CALL_STEPS = 10;
/** Memory that is taken costs a call of the allocator, */
const TAKE_STEPS = 8;
/** and its writing. */
const NEW_BYTES_PER_STEP_BITS = 5;
/** A look-up goes on through metatables, each of which is counted as a text of so many bytes. */
const METATABLE_BYTES = 256;
/** Lua follows no more of them. */
const METATABLES_MAX = 100;
/** A walk through a table looks at so many of its slots in a step. */
const WALKED_SLOTS_PER_STEP_BITS = 2;
/** Of a table in C (lobject.h, with pointers of 32 bits). */
const HASH_SIZE_AT = 7;
const ARRAY_SIZE_AT = 28;
/** Texts that are longer get memory of their own on their way into the machine. */
const SCRATCH_BYTES = 16 * 1024;
/** Bytes that the allocator of C (emmalloc) has from the beginning. As long as they last, */
const RESERVED_BYTES = 1024 * 1024;
/** it writes no further than so far behind its last block, and at the end of all. */
const HEAD_BYTES = 64;
/** As `lua_gc` takes it. */
const COLLECT_ALL = 2;
/** Of the main `lua_State` and its values (lstate.h and lobject.h, with pointers of 32 bits). */
const TOP_AT = 8;
const BASE_AT = 12;
const VALUE_BYTES_BITS = 4;
const TYPE_AT = 8;
const TEXT_LENGTH_AT = 12;
const TEXT_AT = 16;
/** Memory of the machine itself, and what the allocator loses between blocks. */
const OVERHEAD_BYTES = 32 * 1024 * 1024;

export interface LuaLimits {
  /** Instructions of Lua, and what the functions of the host count as as many. */
  readonly stepsMax: number;
  readonly memoryBytesMax: number;
}

/** The memory between two calls, with what the host counts of it. It never changes. */
export interface LuaImage {
  /** All that lies below the stack of C, and behind it. */
  readonly below: Uint8Array;
  readonly behind: Uint8Array;
  /** Words of the allocator at the end of its first bytes, unless they are in what is behind. */
  readonly tail: Uint8Array;
  readonly counts: Counts;
}

interface Counts {
  readonly steps: number;
  readonly usedBytes: number;
  /** The most that there was so far. */
  readonly peakBytes: number;
  readonly longestText: number;
  /** Where Lua joins texts: as long as the longest that it has made. */
  readonly joinBuffer: Address;
  /** Tables that were set as metatables of others. */
  readonly metatables: readonly Address[];
}

/** Behind the last byte before `end` that is not 0. */
function endOfWritten(memory: Uint8Array, end: number): number {
  let at = end;
  while (memory[at - 1] === 0) at -= 1;
  return at;
}

/** Thrown through all of Lua: no protected call of a script catches them. */
export const TOO_MANY_STEPS = Symbol('a script needs more steps than it may take');
export const TOO_MUCH_MEMORY = Symbol('a script needs more memory than it may have');

export class LuaMachine {
  readonly api: LuaApi;
  /** The main `lua_State`; functions that Lua calls get that of their coroutine. */
  readonly state: Address;
  steps = 0;
  #bytes: Buffer;
  #words: Uint32Array;
  #stepsMax = Infinity;
  #memoryBytesMax = Infinity;
  #usedBytes = 0;
  #peakBytes = 0;
  #longestText = 0;
  readonly #metatables = new Set<Address>();
  #joinBuffer: Address = 0;
  #isProbing = false;
  readonly #scratch: Address;
  /** Two words for lengths that C gives back. */
  readonly #length: Address;
  readonly #names = new Map<string, Address>();
  #isPrepared = false;
  readonly #stackBase: Address;
  readonly #stackEnd: Address;
  /** The end of what was reserved, and of what the allocator keeps behind it. */
  readonly #reservedEnd: Address;
  readonly #reservedBreak: Address;
  /** Where C has the end of all that its allocator has taken. */
  readonly #breakAt: Address;
  /** As `prepare` has left it. */
  readonly #prepared: LuaImage;
  /** Of the blocks that were taken since the image was restored, or of the image. */
  #dirtyEnd = 0;

  /** `prepare` leaves in the machine what every run finds there. */
  constructor(prepare: (machine: LuaMachine) => void) {
    this.api = instantiateLua(
      () => this.#memoryBytesMax + OVERHEAD_BYTES,
      () => this.charge(ERROR_STEPS),
    );
    const { api } = this;
    this.#bytes = Buffer.from(api.memory.buffer);
    this.#words = new Uint32Array(api.memory.buffer);
    this.#stackBase = api.emscripten_stack_get_base();
    this.#stackEnd = api.emscripten_stack_get_end();
    // The far end of the stack, which no depth of calls that Lua allows comes near to.
    this.#length = this.#stackEnd;
    this.#scratch = this.#stackEnd + HEAD_BYTES;
    const reserved = api.malloc(RESERVED_BYTES);
    this.#reservedEnd = reserved + RESERVED_BYTES;
    api.free(reserved);
    const allocate = addFunction(api, (_, at, before, after) => this.#take(at, before, after), 4);
    this.state = api.lua_newstate(allocate, 0);
    api.luaL_openlibs(this.state);
    this.#findJoinBuffer();
    prepare(this);
    const hook = addFunction(api, () => this.#onHook(), 2, 0);
    api.lua_sethook(this.state, hook, MASK_COUNT, HOOK_STEPS);
    // Every run copies what is left.
    api.lua_gc(this.state, COLLECT_ALL, 0);
    this.steps = 0;
    this.#peakBytes = this.#usedBytes;
    this.#longestText = 0;
    this.#breakAt = this.#findBreak(endOfWritten(this.bytes, this.bytes.length));
    this.#reservedBreak = this.#wordAt(this.#breakAt);
    this.#dirtyEnd = this.#reservedEnd;
    this.#prepared = this.capture();
    this.#isPrepared = true;
  }

  /** The memory as it is, between two calls: runs can begin from it. */
  capture(): LuaImage {
    const memory = this.bytes;
    const end = endOfWritten(memory, this.#writtenEnd());
    this.#dirtyEnd = end;
    return {
      below: Uint8Array.from(memory.subarray(0, this.#stackEnd)),
      behind: Uint8Array.from(memory.subarray(this.#stackBase, end)),
      tail: Uint8Array.from(memory.subarray(this.#reservedEnd, this.#reservedBreak)),
      counts: {
        steps: this.steps,
        usedBytes: this.#usedBytes,
        peakBytes: this.#peakBytes,
        longestText: this.#longestText,
        joinBuffer: this.#joinBuffer,
        metatables: [...this.#metatables],
      },
    };
  }

  /**
   * A new run: everything is as in the image, by default as `prepare` has left it. What led to the
   * image counts: throws if it needs more than the run may have.
   */
  begin({ stepsMax, memoryBytesMax }: LuaLimits, image = this.#prepared): void {
    const { below, behind, tail, counts } = image;
    const memory = this.bytes;
    const written = this.#writtenEnd();
    memory.set(below, 0);
    memory.set(behind, this.#stackBase);
    const end = this.#stackBase + behind.length;
    if (end < written) memory.fill(0, end, written);
    if (end <= this.#reservedEnd) memory.set(tail, this.#reservedEnd);
    this.#dirtyEnd = end;
    this.api.stackRestore(this.#stackBase);
    this.#usedBytes = counts.usedBytes;
    this.#peakBytes = counts.peakBytes;
    this.#longestText = counts.longestText;
    this.#joinBuffer = counts.joinBuffer;
    this.#metatables.clear();
    for (const at of counts.metatables) this.#metatables.add(at);
    this.steps = counts.steps;
    this.limit({ stepsMax, memoryBytesMax });
  }

  /** From here on these limits count, and for what was done so far. */
  limit({ stepsMax, memoryBytesMax }: LuaLimits): void {
    this.#stepsMax = stepsMax;
    this.#memoryBytesMax = memoryBytesMax;
    if (this.#peakBytes > memoryBytesMax) throw TOO_MUCH_MEMORY;
    this.charge(0);
  }

  /** The memory. It is another object when it has grown, in any call of C that takes memory. */
  get bytes(): Buffer {
    if (this.#bytes.length === 0) this.#renewViews();
    return this.#bytes;
  }

  #renewViews(): void {
    this.#bytes = Buffer.from(this.api.memory.buffer);
    this.#words = new Uint32Array(this.api.memory.buffer);
  }

  /** Of the blocks that Lua has. */
  get usedBytes(): number {
    return this.#usedBytes;
  }

  /** Counts work of the host as so many instructions. */
  charge(steps: number): void {
    this.steps += steps;
    if (this.steps > this.#stepsMax) throw TOO_MANY_STEPS;
  }

  /** From here on an instruction may move as many values, such as arguments of a function. */
  noteValues(count: number): void {
    this.#noteText(count * 16);
  }

  /**
   * A table becomes the metatable of another: from here on an instruction may look into as many
   * tables as there are metatables, one behind the other.
   */
  noteMetatable(at: Address): void {
    if (this.#metatables.size === METATABLES_MAX || this.#metatables.has(at)) return;
    this.#metatables.add(at);
    this.#noteText(this.#metatables.size * METATABLE_BYTES);
  }

  /** Places in the array and the hash part of a table, used or not. */
  slotsOf(state: Address, index: number): number {
    const at = this.api.lua_topointer(state, index);
    const hashBits = this.bytes[at + HASH_SIZE_AT] as number;
    return (1 << hashBits) + this.#wordAt(at + ARRAY_SIZE_AT);
  }

  /** Counts a walk through all of a table: it looks at empty slots, too. */
  chargeWalk(state: Address, index: number): void {
    this.charge(this.slotsOf(state, index) >>> WALKED_SLOTS_PER_STEP_BITS);
  }

  #noteText(bytes: number): void {
    if (bytes > this.#longestText) this.#longestText = bytes;
  }

  /** The one word before the stack that is the end of what was reserved, with its last bytes. */
  #findBreak(end: Address): Address {
    const words = this.#words.subarray(0, this.#stackEnd >> 2);
    const isBreak = (word: number): boolean => word >= end && word <= end + HEAD_BYTES;
    const at = words.findIndex(isBreak);
    if (at === -1 || words.findLastIndex(isBreak) !== at) {
      throw new Error('the allocator of C keeps its end in an unknown way');
    }
    return at << 2;
  }

  /** Nothing behind it has been written since the image was restored. */
  #writtenEnd(): Address {
    const end = this.#wordAt(this.#breakAt);
    const taken = end > this.#reservedBreak ? end : 0;
    return Math.min(Math.max(this.#dirtyEnd, taken), this.bytes.length);
  }

  /** The one block that is as long as a text that is joined: the text itself has a head. */
  #findJoinBuffer(): void {
    const { api, state } = this;
    this.#isProbing = true;
    this.pushText(state, 'x'.repeat(PROBE_BYTES / 2));
    this.pushText(state, 'y'.repeat(PROBE_BYTES / 2));
    api.lua_concat(state, 2);
    api.lua_settop(state, 0);
    this.#isProbing = false;
    if (this.#joinBuffer === 0) throw new Error('Lua joins texts in an unknown way');
  }

  #onHook(): undefined {
    this.charge(HOOK_STEPS * (1 + (this.#longestText >>> TEXT_BYTES_PER_STEP_BITS)));
  }

  /** As `lua_Alloc` is to do it. */
  #take(at: Address = 0, before = 0, after = 0): Address {
    const { api } = this;
    this.#usedBytes += after - before;
    if (after === 0) {
      api.free(at);
      return 0;
    }
    if (this.#usedBytes > this.#peakBytes) this.#peakBytes = this.#usedBytes;
    if (this.#usedBytes > this.#memoryBytesMax) throw TOO_MUCH_MEMORY;
    this.charge(TAKE_STEPS + (after >>> NEW_BYTES_PER_STEP_BITS));
    const taken = this.#noteWritten(api.realloc(at, after), after);
    if (this.#isProbing ? after === PROBE_BYTES : at !== 0 && at === this.#joinBuffer) {
      this.#joinBuffer = taken;
      this.#noteText(after);
    }
    return taken;
  }

  #noteWritten(at: Address, bytes: number): Address {
    if (at === 0) throw TOO_MUCH_MEMORY;
    const end = at + bytes + HEAD_BYTES;
    if (end > this.#dirtyEnd) this.#dirtyEnd = end;
    return at;
  }

  // Values of Lua.

  /**
   * How many arguments the function of the host has that runs. They are read where Lua has them:
   * calls into C for each of them would take longer than most commands.
   */
  argumentCount(state: Address): number {
    return ((this.#wordAt(state + TOP_AT) - this.#wordAt(state + BASE_AT)) >> VALUE_BYTES_BITS) | 0;
  }

  /** The type of one of them, from 0 on. */
  argumentType(state: Address, index: number): number {
    return this.#wordAt(this.#argumentAt(state, index) + TYPE_AT);
  }

  /** Of one that is a text: where it is. */
  argumentText(state: Address, index: number): Address {
    return this.#wordAt(this.#argumentAt(state, index)) + TEXT_AT;
  }

  /** Its length. */
  textLength(at: Address): number {
    return this.#wordAt(at - TEXT_AT + TEXT_LENGTH_AT);
  }

  #argumentAt(state: Address, index: number): Address {
    return this.#wordAt(state + BASE_AT) + (index << VALUE_BYTES_BITS);
  }

  #wordAt(at: Address): number {
    // Makes the views anew where the memory has grown.
    if (this.#words.length === 0) this.#renewViews();
    return this.#words[at >> 2] as number;
  }

  /** A text of C, for a name that `prepare` has used: it is in the image. */
  name(text: string): Address {
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    if (this.#isPrepared) throw new Error(`the image lacks the name ${text}`);
    const at = this.api.malloc(text.length + 1);
    writeLatin1(this.bytes, `${text}\0`, at);
    this.#names.set(text, at);
    return at;
  }

  /** Pushes a byte string (latin1). */
  pushText(state: Address, text: string): void {
    const { length } = text;
    const { api } = this;
    this.#noteText(length);
    if (length <= SCRATCH_BYTES) {
      writeLatin1(this.bytes, text, this.#scratch);
      api.lua_pushlstring(state, this.#scratch, length);
      return;
    }
    this.charge(length >>> NEW_BYTES_PER_STEP_BITS);
    const at = this.#noteWritten(api.malloc(length), length);
    writeLatin1(this.bytes, text, at);
    api.lua_pushlstring(state, at, length);
    api.free(at);
  }

  /** The string in a slot of the stack (a number becomes one): where it is and how long. */
  locate(state: Address, index: number): { at: Address; length: number } {
    const at = this.api.lua_tolstring(state, index, this.#length);
    return { at, length: this.#lengthRead() };
  }

  /** The same for an argument that must be a string. */
  checkedText(state: Address, argument: number): { at: Address; length: number } {
    const at = this.api.luaL_checklstring(state, argument, this.#length);
    return { at, length: this.#lengthRead() };
  }

  #lengthRead(): number {
    return this.#wordAt(this.#length);
  }

  /** The same as a byte string (latin1). */
  textAt(state: Address, index: number): string {
    const { at, length } = this.locate(state, index);
    return readLatin1(this.bytes, at, at + length);
  }

  /** Raises an error of Lua with the place of the caller in front, as `luaL_error` does. */
  raise(state: Address, message: string): never {
    this.api.luaL_where(state, 1);
    this.pushText(state, message);
    this.api.lua_concat(state, 2);
    this.api.lua_error(state);
    throw new Error('an error of Lua has returned');
  }

  argumentError(state: Address, argument: number, message: string): never {
    writeLatin1(this.bytes, `${message}\0`, this.#scratch);
    this.api.luaL_argerror(state, argument, this.#scratch);
    throw new Error('an error of Lua has returned');
  }

  // Functions for `prepare`.

  /** A function of the host as C sees it. */
  hostFunction(fn: HostFunction): Address {
    return addFunction(this.api, fn as (...args: number[]) => number, 1);
  }

  /** Sets a field of the table on top of the stack. */
  setFunction(name: string, fn: HostFunction): Address {
    const at = this.hostFunction((its) => {
      this.charge(CALL_STEPS);
      return fn(its);
    });
    this.api.lua_pushcclosure(this.state, at, 0);
    this.api.lua_setfield(this.state, -2, this.name(name));
    return at;
  }

  /** Pushes the function of a trusted chunk. */
  load(source: string, name: string): void {
    const { api, state } = this;
    const at = api.malloc(source.length);
    writeLatin1(this.bytes, source, at);
    const failed = api.luaL_loadbuffer(state, at, source.length, this.name(name));
    api.free(at);
    if (failed !== 0) throw new Error(this.textAt(state, -1));
  }
}
