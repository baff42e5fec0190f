/** How often each call was made and how it ended: shows whether the generator reaches what it should. */
import { errnoName } from "../src/mm/uapi/errno.ts";
import { EXPECTED } from "./expected-endings.ts";
import { CALLS, type CallName, type Operation } from "./operation.ts";
import type { Outcome } from "./subject.ts";

export class Statistics {
  private readonly endings = new Map<string, Map<string, number>>();
  private total = 0;

  get steps(): number {
    return this.total;
  }

  count({ call }: Operation, { result }: Outcome): void {
    this.total++;
    const ending = result === undefined ? "skipped" : result < 0 ? errnoName(-result) : "ok";
    const endings = this.endings.get(call) ?? new Map<string, number>();
    this.endings.set(call, endings);
    endings.set(ending, (endings.get(ending) ?? 0) + 1);
  }

  /** One line per call, the most frequent ending first. */
  toString(): string {
    return [...this.endings]
      .sort(([left], [right]) => left.localeCompare(right))
      .map(([call, endings]) => {
        const sum = [...endings.values()].reduce((left, right) => left + right, 0);
        const parts = [...endings].sort(([, left], [, right]) => right - left);
        return `  ${call.padEnd(13)}${String(sum).padStart(8)}   ${parts.map(([name, count]) => `${name} ${count}`).join("  ")}`;
      })
      .join("\n");
  }

  /** The calls and endings that did not come up although they could, `call` or `call: ending ending`. */
  get missing(): string[] {
    const found: string[] = [];
    for (const call of Object.keys(CALLS) as CallName[]) {
      const endings = this.endings.get(call);
      if (endings === undefined) {
        found.push(call);
        continue;
      }
      const wanted = ["ok", ...(EXPECTED[call] ?? "").split(" ")].filter(
        (name) => name !== "" && !endings.has(name),
      );
      if (wanted.length > 0) found.push(`${call}: ${wanted.join(" ")}`);
    }
    return found;
  }
}
