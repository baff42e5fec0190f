import { expect, it } from "vitest";
import { errseqCheck, errseqMarkSeen, errseqSample, errseqSet } from "../../../src/mm/vfs/errseq.ts";

const EIO = 5;
const ENOSPC = 28;

it("tells an error to each observer that was there, once", () => {
  const early = errseqSample(0);
  let state = errseqSet(0, EIO);
  expect(errseqCheck(state, early)).toBe(-EIO);
  state = errseqMarkSeen(state);
  expect(errseqCheck(state, state)).toBe(0);
  expect(errseqCheck(state, early)).toBe(-EIO);
});

it("tells an error that nobody has seen to a later observer, too, and a seen one not", () => {
  const state = errseqSet(0, EIO);
  expect(errseqCheck(state, errseqSample(state))).toBe(-EIO);
  const seen = errseqMarkSeen(state);
  expect(errseqCheck(seen, errseqSample(seen))).toBe(0);
});

it("tells of the same errno again when it happens again after it was seen", () => {
  const seen = errseqMarkSeen(errseqSet(0, ENOSPC));
  expect(errseqCheck(errseqSet(seen, ENOSPC), seen)).toBe(-ENOSPC);
});
