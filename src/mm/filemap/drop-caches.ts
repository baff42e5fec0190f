/** Giving up what is only cached, because somebody with the right to asks for it (fs/drop_caches.c). */
import { XA_MAX } from "../../lib/xarray.ts";
import type { PhysicalMemory } from "../frames/physical-memory.ts";
import { AddressSpace } from "../vfs/address-space.ts";
import { invalidateUnmapped } from "./truncate.ts";

/** Drops the clean pages of every file that nobody maps; those of tmpfs have no other home and stay. Answers how many. */
export function dropPagecache(phys: PhysicalMemory): number {
  let dropped = 0;
  for (const owner of phys.owners.values()) {
    if (owner instanceof AddressSpace && owner.canWriteback) dropped += invalidateUnmapped(owner, 0, XA_MAX);
  }
  return dropped;
}
