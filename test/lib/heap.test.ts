import fc from "fast-check";
import { expect, it } from "vitest";
import { Heap } from "../../src/lib/heap.ts";

it("gives out what was put in, the least first", () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(50)), { maxLength: 200 }), fc.nat(7), (steps, kept) => {
      const heap = new Heap<number>((a, b) => a < b);
      const model: number[] = [];
      const takeBoth = (): void => {
        model.sort((a, b) => a - b);
        expect(heap.first).toBe(model[0]);
        expect(heap.take()).toBe(model.shift());
      };
      for (const step of steps) {
        if (step === null) takeBoth();
        else {
          heap.add(step);
          model.push(step);
        }
        expect(heap.size).toBe(model.length);
      }
      heap.keep((n) => n % 7 !== kept);
      model.splice(0, model.length, ...model.filter((n) => n % 7 !== kept));
      while (model.length > 0) takeBoth();
      expect(heap.take()).toBeUndefined();
    }),
  );
});
