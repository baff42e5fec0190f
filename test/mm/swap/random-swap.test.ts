/**
 * Random programs on a machine whose RAM is far too small for them, with every kind of swap area: after each step the
 * kernel's state is proven, and at the end of a run, and now and then in it, every byte is compared with a shadow copy.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { validate } from "../../../src/mm/index.ts";
import "../../property-seed.ts";
import { STEPS, World } from "./random-world.ts";
import { KINDS } from "./rig.ts";

const unit = fc.noBias(fc.double({ min: 0, max: 0.999999, noNaN: true }));
const steps = fc.array(fc.record({ op: fc.constantFrom(...STEPS), a: unit, b: unit, c: unit }), {
  minLength: 200,
  maxLength: 300,
});
const setups: readonly (readonly number[])[] = [[], [5], [5, 5, 1]];

describe("random programs on too little RAM", () => {
  it.each(KINDS)("lose no byte (%s)", (kind) => {
    fc.assert(
      fc.property(
        fc.integer({ min: 64, max: 256 }),
        fc.constantFrom(...setups),
        steps,
        (frames, areas, program) => {
          const world = new World(frames, kind, areas);
          for (const [index, step] of program.entries()) {
            world.run(step);
            expect(validate(world.kernel)).toEqual([]);
            if (index % 40 === 39) world.check();
          }
          world.check();
          expect(validate(world.kernel)).toEqual([]);
        },
      ),
      // Shrinking programs of hundreds of steps takes minutes; the seed and the path lead back to one that failed.
      { numRuns: 8, endOnFailure: true },
    );
  });
});
