/**
 * `npm run programs`: real programs for the machine, as people use them: Debian 13's packages for riscv64, the same for this
 * machine's processor to compare with, and packages of the npm registry with riscv64 binaries. Into a folder of the
 * user's cache; a second run finds all there and does nothing.
 */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { FetchError, PrivateApt } from "./programs/apt.ts";
import { nativeCommand } from "./programs/native.ts";
import { SETS, setKey } from "./programs/sets.ts";
import { programsFolder, remember, whatIsThere } from "./programs/store.ts";

const HELP = `usage: npm run programs [-- OPTION...]

Gets real riscv64 programs for faultline run --sysroot and npm run test:programs.

  --dir FOLDER     where to (default: ${programsFolder()}; FAULTLINE_PROGRAMS_DIR)
  --set SET        ${Object.keys(SETS).join(" or ")} (default: all)
  --mirror URL     a mirror of Debian's archive (default: the machine's own, else Debian's)
  --keyring FILE   keys that its lists must be signed with (default: those of debian-archive-keyring)
  --time SECONDS   give up after this time
  --again          get everything anew
  --help
`;

const { values } = parseArgs({
  options: {
    dir: { type: "string" },
    set: { type: "string", default: "all" },
    mirror: { type: "string" },
    keyring: { type: "string" },
    time: { type: "string" },
    again: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** Debian's names of processors that Node runs on. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: "amd64",
  arm64: "arm64",
  riscv64: "riscv64",
  ppc64: "ppc64el",
  s390x: "s390x",
};

function main(): void {
  const folder = values.dir === undefined ? programsFolder() : resolve(values.dir);
  const set = Object.hasOwn(SETS, values.set) ? SETS[values.set] : undefined;
  if (set === undefined)
    throw new FetchError(`--set: ${values.set}; there are ${Object.keys(SETS).join(" and ")}`);
  const seconds = values.time === undefined ? Number.POSITIVE_INFINITY : Number(values.time);
  if (!(seconds > 0)) throw new FetchError(`--time: ${values.time} is no number of seconds`);
  const deadline = Date.now() + seconds * 1000;
  if (values.again)
    for (const name of ["riscv64", "native", "npm", "have.json"])
      rmSync(join(folder, name), { recursive: true, force: true });
  const have = whatIsThere(folder);
  const key = setKey(values.set, set);
  if (have.sets.includes(key)) {
    say(`all there: ${folder}`);
    return;
  }
  const own = ARCHITECTURES[process.arch];
  debian("riscv64", "riscv64", set.riscv64);
  if (own !== undefined && process.platform === "linux") debian("native", own, set.native);
  npm(set.npm);
  have.sets.push(key);
  remember(folder, have);
  say(`ready: ${folder}`);

  function debian(name: "riscv64" | "native", architecture: string, packages: readonly string[]): void {
    const { mirror, keyring } = values;
    const apt = new PrivateApt({
      folder: join(folder, `apt-${architecture}`),
      architecture,
      mirror,
      keyring,
      deadline,
      say,
    });
    apt.update();
    const wanted = apt.closure(packages).filter((one) => have[name][one.name] !== one.version);
    // The links /bin and /lib first: other packages bring what lies behind them.
    wanted.sort((a, b) => Number(b.name === "base-files") - Number(a.name === "base-files"));
    const root = join(folder, name);
    apt.unpack(wanted, root, (one) => {
      have[name][one.name] = one.version;
      remember(folder, have);
    });
    complete(root);
    if (name === "native") compilePython(root, join(folder, "riscv64"));
    // 130 MB of lists, which the next time are old.
    apt.remove();
  }

  function npm(packages: readonly string[]): void {
    const wanted = packages.filter((one) => !have.npm.includes(one));
    if (wanted.length === 0) return;
    const prefix = join(folder, "npm");
    mkdirSync(prefix, { recursive: true });
    writeFileSync(join(prefix, "package.json"), '{"private":true}\n');
    say(`npm: ${wanted.join(", ")}`);
    // --force: the binaries are for another processor, on purpose.
    const { status, stderr, error } = spawnSync(
      "npm",
      ["install", "--force", "--ignore-scripts", "--no-audit", "--no-fund", ...wanted],
      {
        cwd: prefix,
        encoding: "utf8",
        timeout: Number.isFinite(seconds) ? Math.max(deadline - Date.now(), 1) : undefined,
      },
    );
    if (error !== undefined || status !== 0) throw new FetchError(`npm: ${error?.message ?? stderr.trim()}`);
    have.npm.push(...wanted);
  }
}

/** What installing would have made beside the packages' own files. */
function complete(root: string): void {
  for (const name of ["passwd", "group"]) {
    const master = join(root, "usr/share/base-passwd", `${name}.master`);
    if (existsSync(master) && !existsSync(join(root, "etc", name)))
      copyFileSync(master, join(root, "etc", name));
  }
  const hosts = join(root, "etc/hosts");
  if (!existsSync(hosts)) writeFileSync(hosts, "127.0.0.1 localhost\n");
}

/** Compiles Python's library as its installation does, natively: the same code runs on all processors. */
function compilePython(native: string, root: string): void {
  const library = join(root, "usr/lib/python3.13");
  if (!existsSync(library) || !existsSync(join(native, "usr/bin/python3.13"))) return;
  say("compiling Python's library");
  const unused = "/(test/(?!support|libregrtest|test_mmap|__)|idlelib|tkinter|turtledemo|ensurepip)";
  const args = ["python3.13", "-m", "compileall", "-q", "-x", unused, library];
  const [program, ...rest] = nativeCommand(native, args);
  // Without it Python compiles each time that it starts: slower, and the same.
  spawnSync(program, rest, { stdio: "ignore", env: { PYTHONHOME: join(native, "usr") } });
}

function say(line: string): void {
  console.log(line);
}

if (values.help) {
  process.stdout.write(HELP);
} else {
  try {
    main();
  } catch (error) {
    if (!(error instanceof FetchError)) throw error;
    console.error(`programs: ${error.message}`);
    process.exitCode = 1;
  }
}
