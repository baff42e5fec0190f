/**
 * Which memory the pages in the pipes may be that nobody copied there: those of a program (vmsplice), those of a file of tmpfs
 * (splice, sendfile). Read back to where they lie, bytes are copied over themselves, and what comes out depends on how many
 * the processor moves at a time.
 *
 * Mappings with a name are known by it alone, anonymous memory by its pages' addresses, in whichever process: a fork has them
 * at the same, and a move is followed. What was there once counts until the pipe is found empty.
 */
import { PAGE_SIZE, pageAlignDown } from "../src/mm/page.ts";
import type { Mapping } from "./maps.ts";
import type { CallName, Operation } from "./operation.ts";

/** Calls that take bytes out of a pipe. */
const READS: ReadonlySet<CallName> = new Set(["read", "preadv2", "vmsplice", "splice"]);

interface Shown {
  readonly names: Set<string>;
  /** Of anonymous memory, by address. */
  readonly pages: Set<number>;
}

/** What has to be known of the process that makes a step. */
export interface PipeUser {
  readonly mappings: readonly Mapping[];
  /** Of a pipe one that no other has. */
  fileName(fd: number): string | undefined;
  /** Bytes that wait in a pipe which the descriptor reads; undefined for others. */
  unread(fd: number): number | undefined;
}

export class PipedMemory {
  private readonly pipes = new Map<string, Shown>();

  /** To be told of each step that is done, with what is mapped before it. */
  note({ call, args }: Operation, result: number, user: PipeUser): void {
    if (call === "mremap") this.move(args[0], args[1], result < 0 ? args[4] : result);
    if (result <= 0) return;
    switch (call) {
      case "vmsplice":
        if (user.unread(args[0]) !== undefined) return;
        for (const [addr, length] of rangesOf([args[1], args[2], ...args.slice(4)]))
          this.showMemory(user, args[0], addr, length);
        break;
      case "splice":
      case "sendfile":
      case "tee":
        this.pass(user, args[0], args[call === "splice" ? 2 : 1], call === "sendfile");
        break;
    }
  }

  /** Whether pages in the pipe may be those in which bytes that are read from it shall come to lie. */
  isReadOntoItself({ call, args }: Operation, user: PipeUser): boolean {
    const shown = READS.has(call) ? this.shownBy(user, args[0]) : undefined;
    if (shown === undefined) return false;
    if (call === "splice") return shown.names.has(user.fileName(args[2]) ?? "");
    const more = call === "vmsplice" ? args.slice(4) : call === "preadv2" ? args.slice(5) : [];
    return rangesOf([args[1], args[2], ...more]).some(([addr, length]) =>
      user.mappings.some(({ start, end, name }) => {
        if (start >= addr + length || end <= addr) return false;
        if (!isAnonymous(name)) return shown.names.has(name);
        const [first, last] = [Math.max(start, addr), Math.min(end, addr + length)];
        return [...shown.pages].some((page) => page < last && page + PAGE_SIZE > first);
      }),
    );
  }

  private shownBy(user: PipeUser, fd: number): Shown | undefined {
    const name = user.fileName(fd) ?? "";
    const shown = this.pipes.get(name);
    const unread = shown === undefined ? undefined : user.unread(fd);
    if (unread === 0) this.pipes.delete(name);
    return unread === undefined || unread === 0 ? undefined : shown;
  }

  private showMemory(user: PipeUser, fd: number, addr: number, length: number): void {
    const shown = this.of(user.fileName(fd) ?? "");
    for (const { start, end, name } of user.mappings) {
      if (start >= addr + length || end <= addr) continue;
      if (!isAnonymous(name)) {
        shown.names.add(name);
        continue;
      }
      const last = Math.min(end, addr + length);
      for (let page = Math.max(start, pageAlignDown(addr)); page < last; page += PAGE_SIZE)
        shown.pages.add(page);
    }
  }

  /** From file to pipe, or from pipe to pipe. */
  private pass(user: PipeUser, one: number, other: number, isBackwards: boolean): void {
    const [source, target] = [one, other].map((fd) => user.fileName(fd) ?? "");
    const [from, to] = isBackwards ? [target, source] : [source, target];
    if (!to.startsWith("pipe:")) return;
    const shown = this.of(to);
    const passed = this.pipes.get(from);
    if (!from.startsWith("pipe:")) shown.names.add(from);
    for (const name of passed?.names ?? []) shown.names.add(name);
    for (const page of passed?.pages ?? []) shown.pages.add(page);
  }

  private move(from: number, length: number, to: number): void {
    if (from === to) return;
    for (const { pages } of this.pipes.values()) {
      for (const page of [...pages]) {
        if (page >= from && page < from + length) pages.add(to + page - from);
      }
    }
  }

  private of(pipe: string): Shown {
    const known = this.pipes.get(pipe);
    if (known !== undefined) return known;
    const shown: Shown = { names: new Set(), pages: new Set() };
    this.pipes.set(pipe, shown);
    return shown;
  }
}

function isAnonymous(name: string): boolean {
  return name === "" || name === "[heap]";
}

/** Pairs of address and length. */
function rangesOf(words: readonly number[]): [addr: number, length: number][] {
  return Array.from({ length: words.length / 2 }, (_, at) => [words[2 * at], words[2 * at + 1]]);
}
