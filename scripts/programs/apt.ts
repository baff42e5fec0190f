/**
 * Debian packages in a folder of their own: apt with its own lists, status and cache, so that nothing of the machine's
 * changes, and no root is needed.
 *
 * The programs are Debian 13's. The mirror is the machine's own, where that runs Debian, else Debian's; how to get through to it
 * (proxies, certificates, passwords) is the machine's own apt configuration too. Lists without a valid signature of Debian's
 * are refused.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { LEFT_OUT } from "./sets.ts";

const SUITE = "trixie";
const DEFAULT_MIRROR = "http://deb.debian.org/debian";
/** Seconds that apt waits for a mirror that says nothing. */
const NETWORK_TIMEOUT = 20;

/** Nothing could be had, and why, for a person. */
export class FetchError extends Error {
  override readonly name = "FetchError";
}

export interface AptOptions {
  /** Folder of lists and cache. */
  readonly folder: string;
  /** Debian's name of the processor: "riscv64", "amd64". */
  readonly architecture: string;
  readonly mirror: string | undefined;
  readonly keyring: string | undefined;
  /** Milliseconds at which all must be done. */
  readonly deadline: number;
  readonly say: (line: string) => void;
}

/** A package as apt names its archive. */
export interface Package {
  readonly name: string;
  readonly version: string;
}

export class PrivateApt {
  readonly #options: AptOptions;
  readonly #config: string;

  constructor(options: AptOptions) {
    this.#options = options;
    const { folder } = options;
    for (const tool of ["apt-get", "apt-config", "dpkg-deb"]) needTool(tool);
    for (const name of [
      "etc/apt.conf.d",
      "etc/preferences.d",
      "state/lists/partial",
      "cache/archives/partial",
    ])
      mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, "state/status"), "");
    writeFileSync(
      join(folder, "etc/sources.list"),
      `deb [signed-by=${this.#keyrings().join(",")}] ${options.mirror ?? ownMirror()} ${SUITE} main\n`,
    );
    this.#config = join(folder, "apt.conf");
    writeFileSync(this.#config, this.#configuration());
  }

  /** Gets the lists of what there is. */
  update(): void {
    this.#options.say(`lists of Debian's packages for ${this.#options.architecture}`);
    const { status, stderr } = this.#apt(["update", "-q"]);
    // apt-get takes lists that it could not get for a warning.
    const problem = /^(?:E|W|Err):?.*(?:Failed|failed|Could not|NO_PUBKEY|not signed|unsigned).*$/m.exec(
      stderr,
    );
    if (status !== 0 || problem !== null)
      throw new FetchError(`the mirror did not give its lists:\n${lastLines(stderr)}`);
  }

  /** The packages and all that they depend on. */
  closure(names: readonly string[]): Package[] {
    const { status, stdout, stderr } = this.#apt(["install", "-y", "-q", "--print-uris", ...names]);
    if (status !== 0) throw new FetchError(`Debian has not all of these packages:\n${lastLines(stderr)}`);
    const found: Package[] = [];
    for (const [, file] of stdout.matchAll(/^'\S+' (\S+\.deb) /gm)) {
      const [name, version] = file.split("_");
      if (!LEFT_OUT.some((one) => one.test(name))) found.push({ name, version: decodeURIComponent(version) });
    }
    return found;
  }

  /** Gets the archives and unpacks them into `root`, in the order in which they were given. */
  unpack(packages: readonly Package[], root: string, done: (one: Package) => void): void {
    const { folder, architecture, say } = this.#options;
    const archives = join(folder, "cache/archives");
    mkdirSync(root, { recursive: true });
    // A dozen at a time: something to be seen, and what has been had stays when the network goes away.
    for (let at = 0; at < packages.length; at += 12) {
      const some = packages.slice(at, at + 12);
      say(`${architecture}: packages ${at + 1}–${at + some.length} of ${packages.length}: ${some[0].name} …`);
      const names = some.map(({ name, version }) => `${name}=${version}`);
      const { status, stderr } = this.#apt(["download", "-q", ...names], archives);
      if (status !== 0) throw new FetchError(`a package could not be had:\n${lastLines(stderr)}`);
      for (const one of some) {
        const file = readdirSync(archives).find(
          (name) => name.startsWith(`${one.name}_`) && name.endsWith(".deb"),
        );
        if (file === undefined) throw new FetchError(`apt-get left no archive of ${one.name}`);
        execFileSync("dpkg-deb", ["-x", join(archives, file), root]);
        rmSync(join(archives, file));
        done(one);
      }
    }
  }

  /** Takes lists and cache away. */
  remove(): void {
    rmSync(this.#options.folder, { recursive: true, force: true });
  }

  #apt(args: readonly string[], cwd?: string): { status: number | null; stdout: string; stderr: string } {
    const { deadline } = this.#options;
    const timeout = deadline - Date.now();
    if (timeout <= 0) throw new FetchError("it took longer than allowed");
    const { status, stdout, stderr, error } = spawnSync("apt-get", args, {
      cwd,
      encoding: "utf8",
      env: { ...process.env, APT_CONFIG: this.#config, LC_ALL: "C" },
      maxBuffer: 64 * 2 ** 20,
      timeout: Number.isFinite(timeout) ? timeout : undefined,
    });
    if (error !== undefined) {
      const isLate = "code" in error && error.code === "ETIMEDOUT";
      throw new FetchError(isLate ? "it took longer than allowed" : `apt-get: ${error.message}`);
    }
    return { status, stdout, stderr };
  }

  #configuration(): string {
    const { folder, architecture } = this.#options;
    return [
      ...ownNetworkSettings(),
      `APT::Architecture "${architecture}";`,
      `APT::Architectures { "${architecture}"; };`,
      'APT::Install-Recommends "false";',
      'APT::Get::AllowUnauthenticated "false";',
      'APT::Sandbox::User "";',
      'Acquire::AllowInsecureRepositories "false";',
      'Acquire::Languages "none";',
      `Acquire::http::Timeout "${NETWORK_TIMEOUT}";`,
      `Acquire::https::Timeout "${NETWORK_TIMEOUT}";`,
      `Dir::Etc "${join(folder, "etc")}";`,
      `Dir::Etc::sourcelist "${join(folder, "etc/sources.list")}";`,
      `Dir::Etc::sourceparts "${join(folder, "etc/none")}";`,
      `Dir::Etc::parts "${join(folder, "etc/apt.conf.d")}";`,
      'Dir::Etc::netrc "/etc/apt/auth.conf";',
      'Dir::Etc::netrcparts "/etc/apt/auth.conf.d";',
      `Dir::State "${join(folder, "state")}";`,
      `Dir::State::status "${join(folder, "state/status")}";`,
      `Dir::Cache "${join(folder, "cache")}";`,
      "",
    ].join("\n");
  }

  #keyrings(): string[] {
    const { keyring } = this.#options;
    if (keyring !== undefined) {
      if (!existsSync(keyring)) throw new FetchError(`${keyring}: no such keyring`);
      return [keyring];
    }
    const found: string[] = [];
    for (const name of ["trixie-automatic", "trixie-stable", "keyring"]) {
      for (const end of ["gpg", "pgp", "asc"]) {
        const file = `/usr/share/keyrings/debian-archive-${name}.${end}`;
        if (existsSync(file)) found.push(file);
      }
    }
    if (found.length === 0) {
      throw new FetchError(
        "Debian's keys are not here, and nothing unsigned is taken: install debian-archive-keyring, or name a file with --keyring",
      );
    }
    return found;
  }
}

function needTool(tool: string): void {
  const { error } = spawnSync(tool, ["--version"], { stdio: "ignore" });
  if (error !== undefined)
    throw new FetchError(
      `${tool} is not here: the programs come from Debian's packages, with Debian's own tools`,
    );
}

/** The mirror of a machine that runs Debian itself. */
function ownMirror(): string {
  if (!/^ID=debian$/m.test(textOf("/etc/os-release"))) return DEFAULT_MIRROR;
  const folder = "/etc/apt/sources.list.d";
  const files = ["/etc/apt/sources.list"];
  if (existsSync(folder)) for (const name of readdirSync(folder).sort()) files.push(join(folder, name));
  for (const file of files) {
    if (!/\.(?:list|sources)$/.test(file)) continue;
    // Of the archive itself, not of its security updates or of anybody else.
    const found = /^(?:URIs:|deb\s(?:\[.*?\]\s*)?)\s*(\S+\/debian\/?)(?=\s|$)/m.exec(textOf(file));
    if (found !== null) return found[1];
  }
  return DEFAULT_MIRROR;
}

/** The machine's own settings of how to reach a server. */
function ownNetworkSettings(): string[] {
  const { stdout } = spawnSync("apt-config", ["dump"], { encoding: "utf8" });
  return (stdout ?? "").split("\n").filter((line) => /^Acquire::(?:http|https|Retries)\b.*".+";$/.test(line));
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function lastLines(text: string): string {
  return text.trim().split("\n").slice(-6).join("\n");
}
