/** Load averages as Linux computes them: known values, decay, and long sleeps in one go. */
import { describe, expect, it } from "vitest";
import { LoadAverage } from "../../src/machine/load-average.ts";

const PERIOD = 5.01e9;
const shown = (load: LoadAverage): string[] => load.averages.map((value) => (value / 2048).toFixed(2));

describe("load average", () => {
  it("moves towards what runs", () => {
    const load = new LoadAverage();
    // 1 − 1/e after as long as the average goes back, by steps of five seconds.
    for (let i = 1; i <= 12; i++) load.sample(i * PERIOD, () => 1);
    expect(Math.abs(load.averages[0] / 2048 - (1 - 1 / Math.E))).toBeLessThan(0.01);
    expect(load.averages[0]).toBeGreaterThan(load.averages[1]);
    for (let i = 0; i < 3000; i++) load.sample((300 + i) * PERIOD, () => 3);
    expect(shown(load)).toEqual(["3.00", "3.00", "3.00"]);
  });

  it("counts a first sample as the kernel does", () => {
    const load = new LoadAverage();
    load.sample(PERIOD, () => 2);
    // calc_load: (0 × 1884 + 4096 × 164 + 2047) / 2048 and so on.
    expect(load.averages).toEqual([328, 68, 22]);
  });

  it("comes to nothing in a long sleep, and asks nobody before the time", () => {
    const load = new LoadAverage();
    load.sample(PERIOD, () => 5);
    let asked = 0;
    load.sample(1.5 * PERIOD, () => asked++);
    expect(asked).toBe(0);
    load.sample(1e9 * PERIOD, () => 0);
    expect(load.averages).toEqual([0, 0, 0]);
    load.sample(1e9 * PERIOD + PERIOD, () => 1);
    expect(load.averages[0]).toBeGreaterThan(0);
  });
});
