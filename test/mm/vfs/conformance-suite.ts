/** Runs the conformance suite: a guest's file system against a directory of the host. */
import fs from "node:fs";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { FileSystem } from "../../../src/mm/vfs/super-block.ts";
import { type FileActor, guestActor, hostActor } from "./actors.ts";
import {
  buildPermissionTree,
  buildTree,
  openOutcomes,
  PAIR_OPERATIONS,
  PAIR_PATHS,
  PATHS,
  PERMISSION_NAMES,
  PERMISSION_OPERATIONS,
  SINGLE_OPERATIONS,
  survey,
  USER,
} from "./conformance.ts";
import { Guest } from "./guest.ts";

export interface Subject {
  readonly name: string;
  /** A directory of the host to make the host's own tree in. */
  readonly hostBase: string;
  /** A file system with an empty root, fresh for each call. */
  fresh(): FileSystem;
}

/** One tree for the guest and one for the host, made anew when an operation may have changed it. */
class Pair {
  readonly host: FileActor = hostActor();
  guest: FileActor;
  readonly #subject: Subject;
  readonly #base: string;
  #count = 0;

  constructor(subject: Subject) {
    this.#subject = subject;
    this.#base = fs.mkdtempSync(path.join(subject.hostBase, "faultline-conf-"));
    fs.chmodSync(this.#base, 0o755);
    this.guest = guestActor(new Guest(subject.fresh()));
    this.reset();
  }

  reset(): void {
    this.guest = guestActor(new Guest(this.#subject.fresh(), 2 ** 20));
    buildTree(this.guest);
    this.resetHost();
  }

  /** The host's tree stands one below the base, so that ".." leads somewhere. */
  resetHost(): void {
    process.chdir("/");
    if (this.#count > 0) fs.rmSync(path.join(this.#base, `${this.#count}`), { recursive: true, force: true });
    const root = path.join(this.#base, `${++this.#count}`);
    fs.mkdirSync(root);
    process.chdir(root);
    buildTree(this.host);
  }

  /** The operation has the same outcome on both sides and leaves the same tree. */
  compare(title: string, act: (actor: FileActor) => string): void {
    const before = survey(this.guest);
    const outcome = act(this.guest);
    const after = survey(this.guest);
    expect(`${title}: ${outcome}\n${after}`).toBe(`${title}: ${act(this.host)}\n${survey(this.host)}`);
    if (after !== before) this.reset();
  }

  dispose(): void {
    process.chdir("/");
    fs.rmSync(this.#base, { recursive: true, force: true });
  }
}

/** Paths whose outcome depends on what stands above the root, where guest and host must differ. */
const ABOVE_ROOT: ReadonlySet<string> = new Set([".."]);

export function runConformance(subject: Subject): void {
  describe.skipIf(process.platform !== "linux")(`${subject.name} answers as the host kernel`, () => {
    let pair: Pair;
    let umask = 0;
    const cwd = process.cwd();
    beforeAll(() => {
      umask = process.umask(0o022);
      pair = new Pair(subject);
    });
    afterAll(() => {
      pair.dispose();
      process.umask(umask);
      process.chdir(cwd);
    });

    test.each(
      PATHS.filter((one) => !ABOVE_ROOT.has(one)).map((one) => [
        one.length > 40 ? `${one.slice(0, 20)}… (${one.length})` : one,
        one,
      ]),
    )("open of %j with every flag", (_title, one) => {
      pair.reset();
      const guest = openOutcomes(pair.guest, one);
      const host = openOutcomes(pair.host, one);
      expect(guest).toEqual(host);
    });

    test.each(Object.keys(SINGLE_OPERATIONS))("%s", (name) => {
      for (const one of PATHS) {
        if (ABOVE_ROOT.has(one)) continue;
        pair.compare(`${name} ${one}`, SINGLE_OPERATIONS[name](one));
      }
    });

    test.each(Object.keys(PAIR_OPERATIONS))("%s", (name) => {
      for (const from of PAIR_PATHS) {
        for (const to of PAIR_PATHS) {
          pair.compare(`${name} ${from} ${to}`, PAIR_OPERATIONS[name](from, to));
        }
      }
    });

    test.runIf(process.getuid?.() === 0)("permissions of a user who is not root", () => {
      pair.reset();
      for (const actor of [pair.guest, pair.host]) buildPermissionTree(actor);
      for (const [title, act] of PERMISSION_OPERATIONS) {
        pair.compare(title, (actor) => {
          actor.become(USER);
          const outcome = act(actor);
          actor.become(0);
          return `${outcome}\n${PERMISSION_NAMES.map((one) => `${one} ${actor.lstat(one)}`).join("\n")}`;
        });
      }
    });
  });
}
