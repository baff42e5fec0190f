/**
 * Makes up the next step of a sequence: from a seed, and from what is mapped at that moment, so that most calls meet
 * something. Here is how a sequence goes and which call comes next; what it is given, each family of calls has a file
 * for (mapping-arguments.ts and the like). Valid, borderline and wrong arguments are all wanted; the weights are set so
 * that each call ends in each of its ways often enough (see the statistics that a run prints).
 */
import * as mman from "../src/mm/uapi/mman.ts";
import { ArgumentSource, type MemoryView } from "./arguments.ts";
import { CALL_WEIGHTS, CUTTING_CALLS } from "./call-weights.ts";
import { canBeDirect, directArguments } from "./direct-arguments.ts";
import { FileArguments, isAboutFiles } from "./file-arguments.ts";
import { isFileTransfer } from "./file-transfers.ts";
import { beforeCrowd, type FollowUp, followUps } from "./follow-ups.ts";
import { isHarmless } from "./harmless.ts";
import { isAboutMappings, MappingArguments } from "./mapping-arguments.ts";
import { isAboutPolicy, policyArguments } from "./memory-policy.ts";
import type { CallName, Operation } from "./operation.ts";
import { argumentsAboutOther, type CallAboutOthers, isAboutOthers } from "./other-arguments.ts";
import { isAboutPages, PageArguments } from "./page-arguments.ts";
import { isAboutProcesses, ProcessArguments, type ProcessCall } from "./process-arguments.ts";
import type { Random } from "./random.ts";
import { SegmentArguments } from "./segment-arguments.ts";
import { SLOTS, SPECIAL_FD, STRANGERS } from "./subject.ts";
import { TransferArguments } from "./transfer-arguments.ts";

/**
 * One of the first sequences comes to the limit of mappings, after some steps, and goes on for some; and one of so many again:
 * it takes as long as ten others, and is the only way to some errors.
 */
const FIRST_CROWDED = 60;
const CROWDED_SEQUENCES = 200;
const CALM_STEPS = 40;
const CROWDED_STEPS = 30;
const CROWD_START = 0x10_0000_0000;
const CROWD_END = 0x11_0000_0000;
/** vm.max_map_count */
const MAX_MAPPINGS = 65530;

type CallAboutSegments = "shmget" | "shmat" | "shmdt" | "shmctl";

function isAboutSegments(call: CallName): call is CallAboutSegments {
  return call.startsWith("shm");
}

/** Forks need a free slot, and the first process stays. */
function isPossible({ process, call, args }: Operation, view: MemoryView): boolean {
  if (call === "fork" || call === "vfork" || call === "clone") return view.isFree(args[0]);
  return call !== "exit" || process !== 0;
}

/** Whether pages may be locked by it. */
export function locksMemory({ call, args }: Operation): boolean {
  return call.startsWith("mlock") || (call === "mmap" && (args[3] & mman.MAP_LOCKED) !== 0);
}

/** Whether it maps one of the descriptors that a sequence begins with, or opens, for files on disk, mostly. */
function mapsDisk({ call, args }: Operation): boolean {
  return call === "mmap" && (args[3] & mman.MAP_ANONYMOUS) === 0 && args[4] >= 0 && args[4] < SPECIAL_FD;
}

export class SequenceGenerator {
  private readonly random: Random;
  private hasLocks = true;
  private hasDisk = true;
  /** Steps until one process has as many mappings as it may. */
  private untilCrowd = Number.POSITIVE_INFINITY;
  private readonly hasCrowds: boolean;
  private untilCrowded: number;
  /** Steps that are to come before others. */
  private planned: FollowUp[] = [];

  /** @param hasCrowds a few sequences reach the number of mappings that a process may have, and take half a minute each */
  constructor(random: Random, hasCrowds = true) {
    this.random = random;
    this.hasCrowds = hasCrowds;
    this.untilCrowded = random.below(FIRST_CROWDED);
  }

  /**
   * To be called before the first step of each sequence: every other one does without locked memory, every fourth without
   * mappings of files on disk, of whose pages less is certain, and a few are about the
   * number of mappings, and end soon. Answers how many of `length` steps to take.
   */
  start(length: number): number {
    const { random } = this;
    this.planned = [];
    this.hasLocks = random.chance(50);
    this.hasDisk = random.chance(75);
    const isCrowded = this.untilCrowded-- === 0 && this.hasCrowds;
    if (isCrowded) this.untilCrowded = CROWDED_SEQUENCES;
    this.untilCrowd = isCrowded ? random.below(CALM_STEPS) : Number.POSITIVE_INFINITY;
    return isCrowded ? Math.min(length, this.untilCrowd + CROWDED_STEPS) : length;
  }

  next(view: MemoryView): Operation {
    if (this.untilCrowd-- === 0) {
      const missing = this.random.weighted([
        [8, this.random.below(3)],
        [2, this.random.below(CALM_STEPS)],
        [1, -1],
      ]);
      const crowd = { process: 0, call: "crowd", args: [CROWD_START, MAX_MAPPINGS - missing] } as const;
      this.planned = [...beforeCrowd(0), crowd];
    }
    for (;;) {
      const planned = this.planned.shift();
      const proposed = this.propose(view, planned);
      const operation =
        planned?.first === undefined ? proposed : { ...proposed, args: proposed.args.with(0, planned.first) };
      const isWanted = (this.hasLocks || !locksMemory(operation)) && (this.hasDisk || !mapsDisk(operation));
      if (!isWanted || !isHarmless(operation) || !isPossible(operation, view)) continue;
      this.planned.push(...followUps(operation, this.random, view.segments()));
      return operation;
    }
  }

  private propose(view: MemoryView, planned: FollowUp | undefined): Operation {
    const living = Array.from({ length: SLOTS }, (_, slot) => slot).filter((slot) => view.isAlive(slot));
    if (planned?.args !== undefined) return { ...planned, args: planned.args };
    const isCrowded = this.untilCrowd < 0;
    const process = planned?.process ?? (isCrowded && this.random.chance(70) ? 0 : this.random.pick(living));
    const call =
      planned?.call ??
      this.random.weighted(isCrowded && this.random.chance(60) ? CUTTING_CALLS : CALL_WEIGHTS);
    const from =
      isCrowded && this.random.chance(80) ? this.besideCrowd(view, process) : this.sourceOf(view, process);
    if (isAboutSegments(call)) {
      const segments = new SegmentArguments(this.random, from, view.segments());
      return { process, call, args: segments.of(call, view.maps(process)) };
    }
    if (isAboutProcesses(call)) {
      const processes = new ProcessArguments(this.random, from, living, view.pidfds(process));
      return { process, call, args: processes.of(call) };
    }
    if (!isAboutOthers(call)) return { process, call, args: this.argumentsOf(call, from) };
    const other = this.random.chance(95) ? this.random.pick(living) : this.random.below(SLOTS);
    const args = argumentsAboutOther(call, this.random, from, this.sourceOf(view, other));
    const isNobody = call.startsWith("process_vm") && this.random.chance(2);
    return { process, call, args: [isNobody ? this.random.pick(STRANGERS) : other, ...args] };
  }

  private sourceOf(view: MemoryView, slot: number): ArgumentSource {
    return new ArgumentSource(this.random, view.maps(slot));
  }

  /** Of the mappings only those that are not of the crowd: larger ones, which can be cut. */
  private besideCrowd(view: MemoryView, slot: number): ArgumentSource {
    const others = view.maps(slot).filter(({ start }) => start < CROWD_START || start >= CROWD_END);
    return new ArgumentSource(this.random, others);
  }

  private argumentsOf(
    call: Exclude<CallName, CallAboutOthers | CallAboutSegments | ProcessCall>,
    from: ArgumentSource,
  ): number[] {
    const { random } = this;
    if (canBeDirect(call) && random.chance(6)) return directArguments(call, random, from);
    if (isAboutMappings(call)) return new MappingArguments(random, from, this.untilCrowd < 0).of(call);
    if (isAboutPages(call)) return new PageArguments(random, from).of(call);
    if (isAboutFiles(call)) return new FileArguments(random, from).of(call);
    if (isFileTransfer(call)) return new TransferArguments(random, from).of(call);
    if (isAboutPolicy(call)) return policyArguments(call, random, from);
    switch (call) {
      case "crowd":
        return [CROWD_START, 1 + random.below(CALM_STEPS)];
    }
  }
}
