/** Why `Hart.run` came back. In each case pc is the instruction to execute next. */
export const STOP_BUDGET = 0;
/** At an `ecall`, which has done nothing: whoever serves it advances pc by 4. */
export const STOP_ECALL = 1;
/** At an `ebreak` or `c.ebreak`. */
export const STOP_EBREAK = 2;
/** At an encoding that is no instruction of this hart. */
export const STOP_ILLEGAL = 3;
/** At an instruction one of whose accesses (or whose fetch) was refused; see `faultAddress` and `faultAccess`. */
export const STOP_FAULT = 4;
/** At an atomic instruction whose address is not aligned; see `faultAddress`. */
export const STOP_MISALIGNED = 5;

export type Stop = 0 | 1 | 2 | 3 | 4 | 5;

// What the generated code returns beyond these, for Hart.run to deal with and go on.

/** The fetch from the pc missed in the TLB, or the frame has no decoded page. */
export const EXIT_FETCH = 16;
/** At a record that has not been decoded. */
export const EXIT_DECODE = 17;
/** At a 4-byte instruction that straddles two pages. */
export const EXIT_STRADDLE = 18;
/** At an instruction that its `slow` function executes. */
export const EXIT_SLOW = 19;
/** After the one instruction that was to be stepped over. */
export const EXIT_STEPPED = 20;
/** A load or store missed in the TLB: EXIT_MISS + (access << 4) + bytes. */
export const EXIT_MISS = 256;
