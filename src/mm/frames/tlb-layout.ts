/**
 * The layout of a software TLB in RAM, shared by the MMU that fills it, the typed loads and stores of the
 * library, and the generated code of the machine.
 *
 * A TLB is direct-mapped: TLB_ENTRIES entries of 32 bytes, entry number (address >> PAGE_SHIFT) % TLB_ENTRIES.
 *
 * ```
 *   byte  0        8         16        24           28
 *        ┌────────┬─────────┬─────────┬────────────┬────────┐
 *        │ read   │ write   │ exec    │ frame: u32 │ unused │
 *        │ tag u64│ tag u64 │ tag u64 │ byte addr. │        │
 *        └────────┴─────────┴─────────┴────────────┴────────┘
 * ```
 *
 * A tag is the page's virtual address, low bits zero, or all ones when that kind of access is not granted, which no
 * page address equals. An access of n bytes at A hits iff tag == (A + n − 1) with the page-offset bits cleared in
 * the entry of A's page: one compare settles the tag, the right and that the access stays within one page. Then
 * the data lie at byte `frame + (A % PAGE_SIZE)` of RAM.
 *
 * Invariant: a write tag is granted only while the PTE is writable and already dirty; any tag only while the PTE is
 * present, accessed and grants that access.
 */
export const TLB_ENTRIES: number = 512;
export const TLB_ENTRY_BYTES: number = 32;
export const TLB_BYTES: number = TLB_ENTRIES * TLB_ENTRY_BYTES;
export const TLB_READ_TAG: number = 0;
export const TLB_WRITE_TAG: number = 8;
export const TLB_EXEC_TAG: number = 16;
export const TLB_FRAME: number = 24;
