/** The order in which timers expire, against a plain list of them. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { type Timer, TimerQueue } from "../../src/machine/timer-queue.ts";

it("lets timers expire in the order of their times, equal ones as they were started, each clock by itself", () => {
  const step = fc.record({
    timer: fc.nat(30),
    // To stop it, to start it, or to let time pass.
    act: fc.constantFrom("stop", "start", "start", "pass" as const),
    ns: fc.nat(40),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
      const queue = new TimerQueue();
      const clocks = [{ now: 0 }, { now: 0 }, { now: 0 }];
      const expired: number[] = [];
      let expiresNs: number[] = [];
      const timers = Array.from({ length: 31 }, (_, i): Timer => {
        const clock = clocks[i % 3];
        return {
          get expiresNs() {
            return expiresNs[i];
          },
          cpuOf: i % 3 === 0 ? undefined : clock,
          nowNs: () => clock.now,
          expire: () => void expired.push(i),
        };
      });
      expiresNs = timers.map(() => 0);
      /** Those that run, in the order in which they were started. */
      let model: { readonly i: number; readonly at: number }[] = [];
      for (const { timer, act, ns } of steps) {
        if (act === "pass") {
          clocks[timer % 3].now += ns;
          const due = model
            .filter(({ i, at }) => clocks[i % 3].now >= at)
            .sort((a, b) => a.at - b.at)
            .map(({ i }) => i);
          model = model.filter(({ i }) => !due.includes(i));
          expired.length = 0;
          queue.run();
          expect(expired).toEqual(due);
        } else {
          model = model.filter(({ i }) => i !== timer);
          queue.stop(timers[timer]);
          if (act === "start") {
            expiresNs[timer] = clocks[timer % 3].now + ns;
            queue.start(timers[timer]);
            model.push({ i: timer, at: expiresNs[timer] });
          }
        }
        const next = model.filter(({ i }) => i % 3 === 0).map(({ at }) => at);
        expect(queue.nextNs).toBe(Math.min(...next, Number.POSITIVE_INFINITY));
      }
    }),
  );
});
