/**
 * The frame that a handler runs on, exactly as Linux builds it on riscv64 (arch/riscv/kernel/signal.c).
 *
 * ```
 *   byte  0     struct siginfo, 128 bytes                                        ◀ a1 of the handler
 *         128   struct ucontext:                                                 ◀ a2
 *         128     uc_flags, 136 uc_link
 *         144     uc_stack: ss_sp, ss_flags (int), ss_size
 *         168     uc_sigmask, 8 bytes of 128
 *         304     uc_mcontext: pc, x1 … x31 (256 bytes)                          what rt_sigreturn restores
 *         560       f0 … f31, fcsr
 *         1076      reserved, must be 0
 *         1080      end of the extension list: magic 0, size 0
 *         1088  end
 * ```
 *
 * The handler is entered with a0 = signal, a1, a2 as above, ra = the trampoline that makes the rt_sigreturn call, and
 * sp = the frame, which is a multiple of 16. Everything else stays as it was.
 */

import type { FaultingTask } from "../../mm/fault/faulting-task.ts";
import type { Mmu } from "../../mm/fault/mmu.ts";
import { copyFromUser, copyToUser } from "../../mm/fault/uaccess.ts";
import { EFAULT, EINVAL } from "../../mm/uapi/errno.ts";
import { StructView } from "../abi/bytes.ts";
import { type Registers, TASK_STATE_BYTES } from "../cpu/hart.ts";
import { SIGINFO_BYTES, type SigInfo } from "./siginfo.ts";
import { SA_ONSTACK, UNBLOCKABLE } from "./signal-numbers.ts";
import {
  type AlternateStack,
  type SigAction,
  SS_AUTODISARM,
  SS_DISABLE,
  type ThreadSignals,
} from "./signal-state.ts";
import { SigSet } from "./sigset.ts";

export const SIGFRAME_BYTES = 1088;
const UCONTEXT = SIGINFO_BYTES;
const UC_STACK = UCONTEXT + 16;
const UC_SIGMASK = UCONTEXT + 40;
const UC_MCONTEXT = UCONTEXT + 176;
const SC_RESERVED = UC_MCONTEXT + 256 + 516;
const SC_EXTENSIONS = SC_RESERVED + 4;

const RA = 1;
const SP = 2;
const A0 = 10;

/** Whose registers and memory a frame is made for. */
export interface FrameOwner {
  readonly mmu: Mmu;
  readonly task: FaultingTask;
  readonly registers: Registers;
  readonly signals: ThreadSignals;
  /** Address of the code that calls rt_sigreturn. */
  readonly sigreturn: number;
}

/** Builds the frame and points the registers at the handler; 0, or -EFAULT with the registers as they were. */
export function setupSignalFrame(owner: FrameOwner, action: SigAction, info: SigInfo): number {
  const { mmu, task, registers, signals } = owner;
  const sp = registers.getXU(SP);
  const at = frameAddress(signals, action, sp);
  if (at < 0) return -EFAULT;
  const frame = new StructView(SIGFRAME_BYTES);
  frame.bytes.set(info.bytes);
  putAltStack(frame, UC_STACK, signals.altStack);
  frame.bytes.set((signals.saved ?? signals.blocked).toBytes(), UC_SIGMASK);
  registers.saveState(frame.bytes.subarray(UC_MCONTEXT, UC_MCONTEXT + TASK_STATE_BYTES));
  if (copyToUser(mmu, task, at, frame.bytes) < SIGFRAME_BYTES) return -EFAULT;
  if (signals.altStack.flags >>> 0 >= SS_AUTODISARM) {
    Object.assign(signals.altStack, { base: 0, size: 0, flags: SS_DISABLE });
  }
  registers.setX(RA, owner.sigreturn);
  registers.pc = action.handler;
  registers.setX(SP, at);
  registers.setX(A0, info.signal);
  registers.setX(A0 + 1, at);
  registers.setX(A0 + 2, at + UCONTEXT);
  return 0;
}

/** get_sigframe: below the stack pointer, or at the top of the alternate stack; −1 where that would overflow. */
function frameAddress(signals: ThreadSignals, action: SigAction, sp: number): number {
  if (signals.isOnAltStack(sp) && !signals.isOnAltStack(sp - SIGFRAME_BYTES)) return -1;
  const wantsAltStack = (action.flags & SA_ONSTACK) !== 0 && signals.altStackState(sp) === 0;
  const top = wantsAltStack ? signals.altStack.base + signals.altStack.size : sp;
  const at = top - SIGFRAME_BYTES;
  return at < 0 ? -1 : at - (at % 16);
}

/** rt_sigreturn: takes registers, mask and alternate stack back from the frame at sp. 0, or negative for a bad frame. */
export function restoreSignalFrame(owner: FrameOwner, setAltStack: (stack: AlternateStack) => void): number {
  const { mmu, task, registers, signals } = owner;
  const frame = new StructView(SIGFRAME_BYTES);
  const at = registers.getXU(SP);
  if (copyFromUser(mmu, task, at, frame.bytes) < SIGFRAME_BYTES) return -EFAULT;
  signals.blocked.assign(SigSet.fromBytes(frame.bytes, UC_SIGMASK)).deleteAll(UNBLOCKABLE);
  registers.loadState(frame.bytes.subarray(UC_MCONTEXT, UC_MCONTEXT + TASK_STATE_BYTES));
  if (frame.u32(SC_RESERVED) !== 0 || frame.u32(SC_EXTENSIONS) !== 0 || frame.u32(SC_EXTENSIONS + 4) !== 0)
    return -EINVAL;
  setAltStack(getAltStack(frame, UC_STACK));
  return 0;
}

export function putAltStack(to: StructView, at: number, { base, size, flags }: AlternateStack): void {
  to.put64(at, base)
    .put32(at + 8, flags)
    .put64(at + 16, size);
}

export function getAltStack(from: StructView, at: number): AlternateStack {
  return { base: from.u64(at), flags: from.u32(at + 8), size: from.u64(at + 16) };
}
