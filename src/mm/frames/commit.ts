/**
 * How much memory has been promised (Committed_AS of /proc/meminfo; mm/util.c).
 *
 * A private writable mapping, a stack, a heap and shared anonymous memory are promises: pages that nobody has touched
 * yet, but which may all be touched. Every promise is counted when it is made and taken back when the memory goes. What
 * is refused depends on the mode (vm.overcommit_memory):
 *
 * ```
 *   0  only the obvious lie: one request for more than all RAM and swap
 *   1  nothing
 *   2  what would bring the sum above the limit: a part of RAM and all swap, less what is kept for root and for a way out
 * ```
 *
 * Invariant: `committed` is the sum of the pages of all VM_ACCOUNT mappings, of the sizes of reserved and the pages of
 * unreserved shmem files, and of `lost`.
 */
import { PAGE_SIZE } from "../page.ts";

export const OVERCOMMIT_GUESS = 0;
export const OVERCOMMIT_ALWAYS = 1;
export const OVERCOMMIT_NEVER = 2;

const PAGE_KIB: number = PAGE_SIZE / 1024;
/** Upper bounds of the reserves that boot chooses (init_admin_reserve, init_user_reserve). */
const MAX_ADMIN_RESERVE_KIB = 2 ** 13;
const MAX_USER_RESERVE_KIB = 2 ** 17;

/** What the limit depends on besides memory: who asks. */
export interface CommitAsker {
  /** Pages that its address space has mapped. */
  readonly totalVm: number;
  /** CAP_SYS_ADMIN: may use the reserve. */
  readonly capSysAdmin: boolean;
}

export class Commit {
  /** Pages promised (vm_committed_as). */
  committed = 0;
  /** Slots of all swap areas: room for promises, too. Kept by the room that has the areas. */
  swapPages = 0;
  /**
   * Pages of `committed` that no mapping accounts for any more: a growing stack is always charged, and one that was
   * mapped with MAP_NORESERVE or read-only never gives back what it grew by. So does Linux.
   */
  lost = 0;
  /** vm.overcommit_memory, vm.overcommit_ratio (percent), vm.overcommit_kbytes (0: the ratio counts). */
  mode: number = OVERCOMMIT_GUESS;
  ratio = 50;
  kbytes = 0;
  /** vm.admin_reserve_kbytes and vm.user_reserve_kbytes. */
  adminReserveKbytes: number;
  userReserveKbytes: number;
  readonly #totalPages: number;

  /** @param totalPages frames that can be allocated at all */
  constructor(totalPages: number) {
    this.#totalPages = totalPages;
    const share = Math.floor((totalPages * PAGE_KIB) / 32);
    this.adminReserveKbytes = Math.min(share, MAX_ADMIN_RESERVE_KIB);
    this.userReserveKbytes = Math.min(share, MAX_USER_RESERVE_KIB);
  }

  /** CommitLimit in pages (vm_commit_limit). */
  get limit(): number {
    if (this.kbytes !== 0) return Math.floor(this.kbytes / PAGE_KIB) + this.swapPages;
    return Math.floor((this.#totalPages * this.ratio) / 100) + this.swapPages;
  }

  /**
   * Promises `nrPages` more, or refuses and leaves everything as it was (__vm_enough_memory). Without an asker, as for
   * a file's page that is written by nobody in particular, no reserve is kept.
   */
  charge(nrPages: number, asker: CommitAsker | null): boolean {
    if (!this.#allows(nrPages, asker)) return false;
    this.committed += nrPages;
    return true;
  }

  /** Promises `nrPages` without asking (vm_acct_memory): what somebody else is about to take back. */
  add(nrPages: number): void {
    this.committed += nrPages;
  }

  /** Takes back a promise of `nrPages` (vm_unacct_memory). */
  uncharge(nrPages: number): void {
    this.committed -= nrPages;
  }

  #allows(nrPages: number, asker: CommitAsker | null): boolean {
    if (this.mode === OVERCOMMIT_ALWAYS) return true;
    if (this.mode === OVERCOMMIT_GUESS) return nrPages <= this.#totalPages + this.swapPages;
    let allowed = this.limit;
    if (asker !== null) {
      if (!asker.capSysAdmin) allowed -= Math.floor(this.adminReserveKbytes / PAGE_KIB);
      // So that one process can't grow until nobody can log in to end it.
      allowed -= Math.min(Math.floor(asker.totalVm / 32), Math.floor(this.userReserveKbytes / PAGE_KIB));
    }
    return this.committed + nrPages < allowed;
  }
}
