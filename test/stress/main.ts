/** The long runs of the random world under memory pressure: what scripts/stress.ts bundles and starts. */
import { parseOrExplain, refuse } from "../../scripts/arguments.ts";
import { newEpisode, runEpisode, shrink } from "./episode.ts";
import { SWAP_KINDS, type SwapKind, type Wishes } from "./setup.ts";

const USAGE = `usage: npm run stress -- [OPTION...]

  --steps N        in all (default: 100000)
  --seed N         where everything random comes from (default: 1)
  --episode STEPS  of one world (default: 1000)
  --ram FRAMES     instead of what the seed says; so are
  --swap KIND,...  ${SWAP_KINDS.join(", ")}
  --policy POLICY  lru or mglru
  --sound          storage never fails
  --keep-going     after a failure, too`;

const { values } = parseOrExplain(USAGE, {
  options: {
    steps: { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    episode: { type: "string", default: "1000" },
    ram: { type: "string" },
    swap: { type: "string" },
    policy: { type: "string" },
    sound: { type: "boolean", default: false },
    "keep-going": { type: "boolean", default: false },
  },
});

function count(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) refuse(`--${name} is a number above 0, not ${text}`);
  return value;
}

function wishesFrom(): Wishes {
  const kinds = values.swap?.split(",").map((kind): SwapKind => {
    const known = SWAP_KINDS.find((one) => one === kind);
    if (known === undefined) refuse(`--swap: one or more of ${SWAP_KINDS.join(",")}, not ${kind}`);
    return known;
  });
  const { policy } = values;
  if (policy !== undefined && policy !== "lru" && policy !== "mglru")
    refuse(`--policy is lru or mglru, not ${policy}`);
  const frames = values.ram === undefined ? undefined : count("ram", values.ram);
  return { frames, policy, swap: kinds, ...(values.sound ? { isSound: true } : {}) };
}

const wishes = wishesFrom();
const total = count("steps", values.steps);
const length = count("episode", values.episode);
const seed = count("seed", values.seed);
const started = Date.now();
let done = 0;
let pressed = 0;
let failed = 0;
let reported = started;

for (let number = 0; done < total; number++) {
  const episodeSeed = (Math.imul(seed, 1_000_003) + number) >>> 0;
  const episode = newEpisode(episodeSeed, Math.min(length, total - done), wishes);
  const result = runEpisode(episode);
  done += result.failure === null ? episode.steps.length : result.failedAt;
  pressed += result.stepsUnderPressure;
  if (result.failure !== null) {
    failed++;
    console.log(`\nseed ${seed}, episode ${number}, step ${result.failedAt}: ${result.failure}`);
    const small = shrink(episode, result.failedAt);
    console.log(`${small.steps.length} steps are left: ${runEpisode(small).failure}`);
    console.log(JSON.stringify(small));
    if (!values["keep-going"]) break;
    // An episode that fails at once must not go on for ever.
    done++;
  }
  if (Date.now() - reported > 10_000) {
    reported = Date.now();
    const perSecond = Math.round((done / (reported - started)) * 1000);
    console.log(`${done} steps, ${perSecond} a second, ${failed} failures`);
  }
}
const seconds = (Date.now() - started) / 1000;
console.log(
  `seed ${seed}: ${done} steps in ${seconds.toFixed(0)} s, ${((pressed / Math.max(done, 1)) * 100).toFixed(0)} % of them reclaimed; ${failed} failures`,
);
process.exitCode = failed === 0 ? 0 : 1;
