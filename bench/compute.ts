/**
 * Whole programs, in turns: for riscv64 on the machine and under qemu-riscv64, and compiled for the host.
 *
 * The five kernels compute, `memory` maps, faults and forks. Whoever has a program for both can put it beside them
 * (`--program NAME=GUEST,NATIVE[,ARGUMENT…]`).
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Figure } from "./figure.ts";
import type { ComputeResult } from "./results.ts";
import { BENCH, bundleSuite, compileForHost, runJson } from "./tools.ts";

const KERNELS = ["hash", "sieve", "qsort", "matmul", "crc32"];
/** Beside the kernels, and no part of their mean. */
const MEMORY_HEAVY = ["memory"];
/** No loop vectorized: the machine has no vectors either. */
const KERNEL_OPTIONS = ["-fno-tree-vectorize"];

/** A program that is measured: where it lies for each side, and with which arguments it runs. */
export interface ComputeProgram {
  readonly name: string;
  readonly guest: string;
  readonly native: string | undefined;
  readonly args: readonly string[];
  /** The sides have to print the same. */
  readonly samePrint: boolean;
  /** Counts in the mean that has an aim. */
  readonly isKernel: boolean;
}

/** What the suite is told, as JSON. */
export interface ComputeOrder extends ComputeProgram {
  readonly qemu: string | undefined;
  readonly repeats: number;
}

/** What the suite answers. */
export interface ComputeFigures {
  readonly faultline: Figure;
  readonly native?: Figure;
  readonly qemu?: Figure;
  readonly instructions: number;
}

/** The user-mode qemu that is installed or that QEMU names; undefined where there is none. */
export function hostQemu(): string | undefined {
  const wanted = process.env.QEMU ?? "qemu-riscv64";
  return spawnSync(wanted, ["--version"]).status === 0 ? wanted : undefined;
}

/** Reads `NAME=GUEST,NATIVE[,ARGUMENT…]`; throws with what is wrong, for a person. */
export function parseProgram(text: string): ComputeProgram {
  const [, name, guest, native, rest] = /^([^=]+)=([^,]+),([^,]+)(?:,(.*))?$/.exec(text) ?? [];
  if (name === undefined) throw new Error(`--program wants NAME=GUEST,NATIVE[,ARGUMENT…], not ${text}`);
  for (const file of [guest, native])
    if (!existsSync(file)) throw new Error(`--program: there is no ${file}`);
  return {
    name,
    guest: resolve(guest),
    native: resolve(native),
    args: rest === undefined ? [] : rest.split(","),
    samePrint: false,
    isKernel: false,
  };
}

export async function measureCompute(
  folder: string,
  compiler: string | undefined,
  repeats: number,
  others: readonly ComputeProgram[],
): Promise<ComputeResult[]> {
  const suite = await bundleSuite("compute", folder);
  const qemu = hostQemu();
  const own = [...KERNELS, ...MEMORY_HEAVY].map(
    (name): ComputeProgram => ({
      name,
      guest: join(BENCH, "kernels/bin", name),
      native:
        compiler === undefined
          ? undefined
          : compileForHost(compiler, `kernels/${name}.c`, folder, KERNEL_OPTIONS),
      args: [],
      samePrint: true,
      isKernel: KERNELS.includes(name),
    }),
  );
  return [...own, ...others].map((program) => {
    const order: ComputeOrder = { ...program, qemu, repeats };
    const {
      faultline,
      native,
      qemu: qemuFigure,
      instructions,
    }: ComputeFigures = runJson(process.execPath, [suite, JSON.stringify(order)]);
    return {
      name: program.name,
      isKernel: program.isKernel,
      faultline,
      ...(native !== undefined && { host: native }),
      ...(qemuFigure !== undefined && { qemu: qemuFigure }),
      instructions,
    };
  });
}
