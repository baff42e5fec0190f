/** capget(2) and capset(2): the capabilities of a process (kernel/capability.c, cap_capset in security/commoncap.c). */
import { setCapabilities } from "../../mm/kernel/task-lifecycle.ts";
import { CAP_SETPCAP } from "../../mm/uapi/capability.ts";
import { EFAULT, EINVAL, EPERM, ESRCH } from "../../mm/uapi/errno.ts";
import {
  ALL_CAPABILITIES,
  both,
  type CapabilitySet,
  capabilitiesOf,
  capable,
  isSubset,
  union,
} from "../../mm/vfs/capability.ts";
import { StructView } from "../abi/bytes.ts";
import type { Call, SyscallGroup } from "./call.ts";

export const capabilityCalls: SyscallGroup = [
  [90, "capget", 2, capget],
  [91, "capset", 2, capset],
];

/** How many 32-bit words of each set the versions of the structure have. */
const WORDS: ReadonlyMap<number, number> = new Map([
  [0x19980330, 1],
  [0x20071026, 2],
  [0x20080522, 2],
]);
const NEWEST = 0x20080522;
/** Bytes of effective, permitted and inheritable, of one word each. */
const SETS_BYTES = 12;

function capget(call: Call): number {
  const words = wordsOf(call);
  const data = call.u64(1);
  // Asked for nothing, it tells the version that it knows.
  if (data === 0) return words === -EINVAL ? 0 : Math.min(words, 0);
  if (words < 0) return words;
  const pid = call.get(call.u64(0) + 4, 4)?.s32(0);
  if (pid === undefined) return -EFAULT;
  if (pid < 0) return -EINVAL;
  const target = pid === 0 ? call.thread : call.system.thread(pid);
  if (target === undefined) return -ESRCH;
  const { effective, permitted, inheritable } = capabilitiesOf(target.group.process);
  const view = new StructView(words * SETS_BYTES);
  for (const [n, { low, high }] of [effective, permitted, inheritable].entries()) {
    view.put32(4 * n, low);
    if (words > 1) view.put32(SETS_BYTES + 4 * n, high);
  }
  return call.put(data, view.bytes);
}

function capset(call: Call): number {
  const words = wordsOf(call);
  if (words < 0) return words;
  const pid = call.get(call.u64(0) + 4, 4)?.s32(0);
  if (pid === undefined) return -EFAULT;
  if (pid !== 0 && pid !== call.thread.tid) return -EPERM;
  const data = call.get(call.u64(1), words * SETS_BYTES);
  if (data === undefined) return -EFAULT;
  // A word that the version does not have is empty.
  const [effective, permitted, inheritable] = [0, 4, 8].map(
    (at): CapabilitySet => ({
      low: (data.u32(at) & ALL_CAPABILITIES.low) >>> 0,
      high: words > 1 ? data.u32(SETS_BYTES + at) & ALL_CAPABILITIES.high : 0,
    }),
  );
  const { process } = call;
  const old = capabilitiesOf(process);
  const mayInheritAny = capable(process, CAP_SETPCAP);
  if (!mayInheritAny && !isSubset(inheritable, union(old.inheritable, old.permitted))) return -EPERM;
  if (!isSubset(inheritable, union(old.inheritable, old.bounding))) return -EPERM;
  if (!isSubset(permitted, old.permitted) || !isSubset(effective, permitted)) return -EPERM;
  const ambient = both(old.ambient, both(permitted, inheritable));
  setCapabilities(process, { ...old, effective, permitted, inheritable, ambient });
  return 0;
}

/** What the version in the header asks for (cap_validate_magic); an unknown one is answered with the newest and EINVAL. */
function wordsOf(call: Call): number {
  const header = call.u64(0);
  const version = call.get(header, 4)?.u32(0);
  if (version === undefined) return -EFAULT;
  const words = WORDS.get(version);
  if (words !== undefined) return words;
  return call.put(header, new StructView(4).put32(0, NEWEST).bytes) < 0 ? -EFAULT : -EINVAL;
}
