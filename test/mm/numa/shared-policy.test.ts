/** Policies of ranges of a shared object, against an array with one policy for each page. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL } from "../../../src/mm/index.ts";
import { Mempolicy } from "../../../src/mm/vma/mempolicy.ts";
import { MAX_POLICY_RANGES, SharedPolicy } from "../../../src/mm/vma/shared-policy.ts";
import { boot } from "../core/rig.ts";

const PAGES = 24;
const POLICIES = [MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL].map((mode) => new Mempolicy(mode, 0, 1n));

it("every page has the policy that it was given last", () => {
  const { phys } = boot();
  const step = fc.record({
    start: fc.nat(PAGES - 1),
    pages: fc.integer({ min: 1, max: PAGES }),
    policy: fc.constantFrom(null, ...POLICIES),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const shared = new SharedPolicy(phys);
      const model: (Mempolicy | null)[] = new Array(2 * PAGES).fill(null);
      for (const { start, pages, policy } of steps) {
        expect(shared.replace(start, start + pages, policy)).toBe(0);
        model.fill(policy, start, start + pages);
        expect(model.map((_, page) => shared.lookup(page))).toEqual(model);
      }
      shared.free();
      expect(phys.nrPolicyRanges).toBe(0);
    }),
  );
});

it("all objects together have no more than so many ranges", () => {
  const { phys } = boot();
  const shared = new SharedPolicy(phys);
  expect(shared.replace(0, 1000, POLICIES[0])).toBe(0);
  phys.nrPolicyRanges = MAX_POLICY_RANGES;
  expect(shared.replace(10, 11, POLICIES[1])).toBe(-12);
  expect(shared.lookup(10)).toBe(POLICIES[0]);
  expect(shared.replace(0, 1000, POLICIES[1])).toBe(0);
  expect(shared.replace(0, 1000, null)).toBe(0);
  expect(phys.nrPolicyRanges).toBe(MAX_POLICY_RANGES - 1);
  phys.nrPolicyRanges = 0;
});
