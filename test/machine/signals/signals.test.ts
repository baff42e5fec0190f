import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StructView } from "../../../src/machine/abi/bytes.ts";
import { HART_AREA_BYTES, Registers } from "../../../src/machine/cpu/hart.ts";
import { faultInfo, userInfo } from "../../../src/machine/signals/siginfo.ts";
import {
  type FrameOwner,
  restoreSignalFrame,
  SIGFRAME_BYTES,
  setupSignalFrame,
} from "../../../src/machine/signals/signal-frame.ts";
import { SA_ONSTACK, SIGRTMIN, SIGSEGV, SIGUSR1 } from "../../../src/machine/signals/signal-numbers.ts";
import { PendingSignals, ThreadSignals } from "../../../src/machine/signals/signal-state.ts";
import { SigSet } from "../../../src/machine/signals/sigset.ts";
import { Kernel } from "../../../src/mm/kernel/kernel.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, PROT_READ, PROT_WRITE } from "../../../src/mm/uapi/mman.ts";

describe("SigSet", () => {
  const signals = fc.uniqueArray(fc.integer({ min: 1, max: 64 }));

  it("is a set of 1 … 64 in eight bytes", () => {
    fc.assert(
      fc.property(signals, signals, (some, others) => {
        const set = SigSet.of(...some);
        const all = Array.from({ length: 64 }, (_, i) => i + 1);
        const listed = (of: SigSet): number[] => all.filter((signal) => of.has(signal));
        const sorted = [...some].sort((a, b) => a - b);
        expect(listed(set)).toEqual(sorted);
        expect(set.first).toBe(sorted[0] ?? 0);
        expect(set.isEmpty).toBe(some.length === 0);
        expect(listed(SigSet.fromBytes(set.toBytes()))).toEqual(sorted);
        const other = SigSet.of(...others);
        expect(listed(set.clone().deleteAll(other))).toEqual(sorted.filter((one) => !others.includes(one)));
        expect(listed(set.clone().keepOnly(other))).toEqual(sorted.filter((one) => others.includes(one)));
        expect(listed(set.addAll(other))).toEqual(
          all.filter((one) => some.includes(one) || others.includes(one)),
        );
      }),
    );
    expect(SigSet.of(1).toBytes()[0]).toBe(1);
    expect(SigSet.of(64).toBytes()[7]).toBe(0x80);
  });
});

describe("PendingSignals", () => {
  it("keeps a standard signal once, and real-time ones in order", () => {
    const pending = new PendingSignals();
    for (const pid of [1, 2]) pending.add(userInfo(SIGUSR1, 0, pid, 0));
    for (const pid of [3, 4, 5]) pending.add(userInfo(SIGRTMIN, 0, pid, 0));
    expect(new StructView(pending.take(SIGUSR1).bytes).s32(16)).toBe(1);
    expect(pending.set.has(SIGUSR1)).toBe(false);
    for (const pid of [3, 4, 5]) expect(new StructView(pending.take(SIGRTMIN).bytes).s32(16)).toBe(pid);
    expect(pending.set.isEmpty).toBe(true);
  });

  it("does not grow without bound", () => {
    const pending = new PendingSignals();
    const queued = Array.from({ length: 5000 }, () => pending.add(userInfo(SIGRTMIN, 0, 1, 0)));
    expect(queued.filter(Boolean).length).toBe(4096);
  });
});

describe("signal frame", () => {
  const HANDLER = 0x10400;
  const TRAMPOLINE = 0x7000_0000;
  const action = { handler: HANDLER, flags: 0, mask: new SigSet() };

  function owner(): FrameOwner & { stack: number; load(addr: number): StructView } {
    const kernel = new Kernel({ ram: 8 * 2 ** 20, machineBytes: HART_AREA_BYTES });
    const process = kernel.spawn();
    const { ram } = kernel.phys;
    const stack = process.mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    const registers = new Registers(ram.memory, ram.machineBase);
    for (let i = 1; i < 32; i++) registers.setX(i, i * 1001 - 5000);
    for (let i = 0; i < 32; i++) registers.setFBig(i, BigInt(i) * 0x1234567n);
    registers.fcsr = 0x61;
    registers.pc = 0x10101010;
    registers.setX(2, stack + 65536 - 8);
    return {
      mmu: kernel.mmu,
      task: process,
      registers,
      signals: new ThreadSignals(),
      sigreturn: TRAMPOLINE,
      stack,
      load: (addr) => new StructView(process.readBytes(addr, SIGFRAME_BYTES)),
    };
  }

  it("lies where Linux puts it, says what it must, and gives everything back", () => {
    const it = owner();
    const { registers, signals } = it;
    signals.blocked.add(5);
    const before = new Uint8Array(528);
    registers.saveState(before);
    expect(setupSignalFrame(it, action, faultInfo(SIGSEGV, 2, 0x1238, -1))).toBe(0);

    const at = it.stack + 65536 - 8 - SIGFRAME_BYTES;
    const sp = at - (at % 16);
    expect([registers.pc, registers.getX(1), registers.getX(2)]).toEqual([HANDLER, TRAMPOLINE, sp]);
    expect([10, 11, 12].map((i) => registers.getX(i))).toEqual([SIGSEGV, sp, sp + 128]);
    const frame = it.load(sp);
    expect([frame.s32(0), frame.s32(8), frame.u32(16), frame.s32(20)]).toEqual([SIGSEGV, 2, 0x1238, -1]);
    expect(frame.u64(304)).toBe(0x10101010);
    expect(frame.s64(304 + 10 * 8)).toBe(10 * 1001 - 5000);
    expect(frame.u64(560 + 3 * 8)).toBe(3 * 0x1234567);
    expect(frame.u32(560 + 256)).toBe(0x61);
    expect(frame.u64(168)).toBe(1 << 4);

    for (let i = 1; i < 32; i++) if (i !== 2) registers.setX(i, 7);
    registers.fcsr = 0;
    signals.blocked.add(9 + 1);
    expect(restoreSignalFrame(it, () => {})).toBe(0);
    const after = new Uint8Array(528);
    registers.saveState(after);
    expect(after).toEqual(before);
    expect(signals.blocked).toEqual(SigSet.of(5));
  });

  it("goes to the alternate stack once, and nowhere when there is no room", () => {
    const it = owner();
    const onStack = { ...action, flags: SA_ONSTACK };
    Object.assign(it.signals.altStack, { base: it.stack, size: 4096, flags: 0 });
    const info = faultInfo(SIGSEGV, 1, 0, 0);
    expect(setupSignalFrame(it, onStack, info)).toBe(0);
    expect(it.registers.getX(2)).toBe(it.stack + 4096 - SIGFRAME_BYTES);
    // Nested: on it already, so below; and when that would leave it, not at all.
    expect(setupSignalFrame(it, onStack, info)).toBe(0);
    expect(it.registers.getX(2)).toBe(it.stack + 4096 - 2 * SIGFRAME_BYTES);
    expect(setupSignalFrame(it, onStack, info)).toBe(0);
    expect(setupSignalFrame(it, onStack, info)).toBeLessThan(0);
  });
});
