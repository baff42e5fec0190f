/**
 * The options of `faultline run` about memory that is short: swap areas, limits, how reclaim chooses, and storage that
 * fails on purpose. Each is checked as far as it can be without looking at this machine's files.
 */
import { type Command, InvalidArgumentError } from "commander";
import { type FaultPlan, FaultPlanError, parseFaultPlan } from "../mm/index.ts";
import { PAGE_SIZE } from "../mm/page.ts";
import { MAX_SWAP_OFFSET, MAX_SWAPFILES } from "../mm/swap/swap-entry.ts";
import { MIN_SWAP_PAGES } from "../mm/swap/swap-header.ts";
import { SWAP_FLAG_PRIO_MASK } from "../mm/uapi/swap.ts";
import { formatSize, parseSize } from "./size.ts";

/** One `--swap`. */
export interface SwapSpec {
  /** Bytes; undefined: as large as the area that the file holds. */
  readonly bytes: number | undefined;
  /** Where its pages lie: in memory, in compressed memory, or in this file of the host. */
  readonly kind: "memory" | "zram" | "file";
  readonly file: string | undefined;
  /** undefined: below all areas before it. */
  readonly priority: number | undefined;
}

export interface PressureOptions {
  readonly swap: readonly SwapSpec[];
  /** Limits of the memory cgroup that the program runs in (bytes); undefined: none, and no group without any. */
  readonly memoryMax: number | undefined;
  readonly swapMax: number | undefined;
  /** undefined: the kernel's default. */
  readonly swappiness: number | undefined;
  readonly policy: "lru" | "mglru";
  /** What storage does wrong on purpose. */
  readonly inject: FaultPlan | undefined;
}

/** Commander's view of these options. */
export interface RawPressureOptions {
  readonly swap: readonly SwapSpec[];
  readonly memoryMax?: number;
  readonly swapMax?: number;
  readonly swappiness?: number;
  readonly policy: PressureOptions["policy"];
  readonly inject?: string;
  readonly seed?: number;
}

const MIN_SWAP_BYTES: number = MIN_SWAP_PAGES * PAGE_SIZE;
const MAX_SWAP_BYTES: number = MAX_SWAP_OFFSET * PAGE_SIZE;
const MAX_SWAPPINESS = 200;
const SWAP_FORM = "SIZE[,file=PATH][,prio=N][,zram]";

/** Behind the other examples of `run --help`. */
export const PRESSURE_HELP = `

Memory that is short (docs/pressure.md):
  --swap 64M             an area in this machine's memory; with zram, compressed there
  --swap 1G,file=PATH    an area in a file. A file that is not there is made, and gone when the run ends. One that is
                         there is kept: it has to be a swap area (of mkswap, or of Faultline) or empty. SIZE takes a
                         part of it; without SIZE it is all of it.
  --swap 8M,prio=5       areas of the highest priority are filled first, those of one priority in turns
  --inject PLAN          docs/fault-injection.md: read:eio%0.01, disk:full@16M, swap:dies@100, write:delay=2ms, seed=7`;

/** Adds the options to the command. */
export function addPressureOptions(run: Command): Command {
  return run
    .option("--swap <AREA>", `a swap area: ${SWAP_FORM}; repeatable`, addSwap, [])
    .option("--memory-max <SIZE>", "limit of the memory that the program and its children use", memoryLimit)
    .option("--swap-max <SIZE>", "limit of the swap that they use", swapLimit)
    .option(
      "--swappiness <N>",
      "0 to 200: how much rather anonymous memory goes than pages of files",
      swappiness,
    )
    .option("--policy <NAME>", "how reclaim chooses: lru, or mglru (multi-gen LRU)", policy, "lru")
    .option("--inject <PLAN>", "storage and swap fail on purpose; repeatable", addPlan);
}

/** What was given, checked against each other. Throws InvalidArgumentError. */
export function pressureOptions(raw: RawPressureOptions): PressureOptions {
  const inject = raw.inject === undefined ? undefined : planOf(raw.inject, raw.seed);
  const faultySwap = inject?.rules.find((rule) => rule.target.startsWith("swap"));
  if (faultySwap !== undefined && raw.swap.length === 0) {
    throw new InvalidArgumentError(`--inject speaks of "${faultySwap.target}", and there is no --swap`);
  }
  return {
    swap: raw.swap,
    memoryMax: raw.memoryMax,
    swapMax: raw.swapMax,
    swappiness: raw.swappiness,
    policy: raw.policy,
    inject,
  };
}

function addSwap(text: string, before: readonly SwapSpec[]): readonly SwapSpec[] {
  if (before.length === MAX_SWAPFILES) throw new InvalidArgumentError(`There can be ${MAX_SWAPFILES} areas.`);
  return [...before, parseSwap(text)];
}

/** SIZE[,file=PATH][,prio=N][,zram], in any order. Throws InvalidArgumentError. */
export function parseSwap(text: string): SwapSpec {
  const found: { bytes?: number; file?: string; prio?: number; zram?: true } = {};
  for (const part of text.split(",")) {
    const equals = part.indexOf("=");
    const name = equals < 0 ? (part === "zram" ? part : "bytes") : part.slice(0, equals);
    const value = equals < 0 ? part : part.slice(equals + 1);
    if (name !== "bytes" && name !== "zram" && name !== "file" && name !== "prio") {
      throw new InvalidArgumentError(`"${part}" is no part of ${SWAP_FORM}.`);
    }
    if (found[name] !== undefined) {
      throw new InvalidArgumentError(
        name === "bytes" ? `Two sizes, the second "${part}".` : `"${name}" stands there twice.`,
      );
    }
    if (name === "bytes") found.bytes = areaSize(value);
    else if (name === "file") found.file = fileName(value);
    else if (name === "prio") found.prio = priority(value);
    else if (equals < 0) found.zram = true;
    else throw new InvalidArgumentError(`"zram" takes no value.`);
  }
  const { bytes, file, prio, zram } = found;
  if (file !== undefined && zram === true) {
    throw new InvalidArgumentError("zram is compressed memory, and has no file.");
  }
  if (bytes === undefined && file === undefined)
    throw new InvalidArgumentError("An area needs a size, as in 64M.");
  return { bytes, kind: file !== undefined ? "file" : zram ? "zram" : "memory", file, priority: prio };
}

function areaSize(text: string): number {
  const bytes = sizeOf(text);
  if (bytes < MIN_SWAP_BYTES || bytes > MAX_SWAP_BYTES) {
    throw new InvalidArgumentError(
      `A swap area has ${formatSize(MIN_SWAP_BYTES)} to ${formatSize(MAX_SWAP_BYTES)}, its header of a page included.`,
    );
  }
  return bytes;
}

function fileName(text: string): string {
  if (text === "") throw new InvalidArgumentError("file= needs a path.");
  return text;
}

function priority(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > SWAP_FLAG_PRIO_MASK) {
    throw new InvalidArgumentError(`A priority is a whole number from 0 to ${SWAP_FLAG_PRIO_MASK}.`);
  }
  return value;
}

function sizeOf(text: string): number {
  const bytes = parseSize(text);
  if (bytes === undefined) {
    throw new InvalidArgumentError(
      `"${text}" is no size. A size is a number with K, M or G behind it, as in 64M.`,
    );
  }
  return bytes;
}

function memoryLimit(text: string): number {
  const bytes = sizeOf(text);
  if (bytes < PAGE_SIZE)
    throw new InvalidArgumentError(`A limit is a page (${formatSize(PAGE_SIZE)}) at least.`);
  return bytes;
}

/** 0 is a wish: nothing of the program goes to swap. */
function swapLimit(text: string): number {
  return sizeOf(text);
}

function swappiness(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > MAX_SWAPPINESS) {
    throw new InvalidArgumentError(`Swappiness is a whole number from 0 to ${MAX_SWAPPINESS}.`);
  }
  return value;
}

function policy(text: string): PressureOptions["policy"] {
  if (text !== "lru" && text !== "mglru") throw new InvalidArgumentError("A policy is lru or mglru.");
  return text;
}

/** Several plans are one. */
function addPlan(text: string, before: string | undefined): string {
  const all = before === undefined ? text : `${before},${text}`;
  planOf(all, undefined);
  return all;
}

/** The run's own seed decides where the plan has none. */
function planOf(text: string, seed: number | undefined): FaultPlan {
  try {
    const plan = parseFaultPlan(text);
    return /(^|,)\s*seed=/.test(text) ? plan : { ...plan, seed: seed ?? plan.seed };
  } catch (error) {
    if (error instanceof FaultPlanError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}
