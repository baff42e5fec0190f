/** Real files as everyday programs use them: through links, again and again, changed by the host, and on a disk that refuses. */
import fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Kernel, LinuxError, O_APPEND, O_CREAT, O_RDWR } from "../../src/mm/index.ts";
import { mapFile, nodeFs } from "../../src/storage/node/index.ts";

let folder: string;

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), "faultline-host-disk-"));
});

afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(folder, { recursive: true });
});

function codeOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    return error instanceof LinuxError ? error.code : String(error);
  }
}

/** Every write to a host file fails from now on. */
function fillDisk(): void {
  vi.spyOn(fs, "writevSync").mockImplementation(() => {
    throw Object.assign(new Error("disk full"), { code: "ENOSPC", syscall: "write" });
  });
}

describe("mapFile", () => {
  it("follows links, wherever they lead", () => {
    fs.mkdirSync(join(folder, "links"));
    fs.writeFileSync(join(folder, "target"), "content");
    fs.symlinkSync("../target", join(folder, "links/relative"));
    fs.symlinkSync(join(folder, "target"), join(folder, "links/absolute"));
    for (const link of ["relative", "absolute"]) {
      using file = mapFile(join(folder, "links", link));
      expect(new TextDecoder().decode(file.read(0))).toBe("content");
    }
  });

  it("answers a missing file and a missing folder alike", () => {
    expect(codeOf(() => mapFile(join(folder, "none")))).toBe("ENOENT");
    expect(codeOf(() => mapFile(join(folder, "none/none")))).toBe("ENOENT");
  });

  it.runIf(process.platform === "linux")("holds nothing open on the host once all is closed", () => {
    const path = join(folder, "file");
    fs.writeFileSync(path, "content");
    const held = (): number => fs.readdirSync("/proc/self/fd").length;
    const before = held();
    const file = mapFile(path, { ram: 2 ** 20, writable: true });
    const snapshot = file.snapshot();
    file.close();
    expect(new TextDecoder().decode(snapshot.read(0))).toBe("content");
    snapshot.close();
    expect(codeOf(() => mapFile(join(folder, "none"), { ram: 2 ** 20 }))).toBe("ENOENT");
    expect(held()).toBe(before);
  });

  it("ends also when the disk refuses its last bytes, and says so", () => {
    const path = join(folder, "file");
    fs.writeFileSync(path, "content");
    const file = mapFile(path, { ram: 2 ** 20, writable: true });
    file.write(0, new Uint8Array(3));
    fillDisk();
    expect(codeOf(() => file.close())).toBe("ENOSPC");
    file.close();
    expect(() => file.read(0)).toThrow(TypeError);
  });

  it("has no chunks of nothing", () => {
    const path = join(folder, "file");
    fs.writeFileSync(path, "content");
    using file = mapFile(path, { ram: 2 ** 20 });
    expect(() => [...file.chunks(0)]).toThrow(RangeError);
  });
});

describe("a disk that refuses what was written to a file that is closed by then", () => {
  it("is told by the next sync of everything, once", () => {
    const kernel = new Kernel({ ram: 2 ** 20, root: nodeFs(folder) });
    const process = kernel.spawn();
    const fd = process.open("/file", O_RDWR | O_CREAT, 0o644);
    process.write(fd, new Uint8Array(10));
    fillDisk();
    process.exit();
    expect(codeOf(() => kernel.sync())).toBe("ENOSPC");
    expect(codeOf(() => kernel.sync())).toBeUndefined();
  });

  it("is not told again after fsync has told it", () => {
    const kernel = new Kernel({ ram: 2 ** 20, root: nodeFs(folder) });
    const process = kernel.spawn();
    const fd = process.open("/file", O_RDWR | O_CREAT, 0o644);
    process.write(fd, new Uint8Array(10));
    fillDisk();
    expect(codeOf(() => process.fsync(fd))).toBe("ENOSPC");
    process.exit();
    expect(codeOf(() => kernel.sync())).toBeUndefined();
  });
});

describe("a file that the host writes to as well", () => {
  it("is appended to at the end that it has there", () => {
    const kernel = new Kernel({ ram: 2 ** 20, root: nodeFs(folder) });
    const process = kernel.spawn();
    const fd = process.open("/log", O_RDWR | O_CREAT | O_APPEND, 0o644);
    const line = (text: string): Uint8Array => new TextEncoder().encode(`${text}\n`);
    process.write(fd, line("guest 1"));
    process.fsync(fd);
    fs.appendFileSync(join(folder, "log"), "host\n");
    process.write(fd, line("guest 2"));
    process.exit();
    expect(fs.readFileSync(join(folder, "log"), "utf8")).toBe("guest 1\nhost\nguest 2\n");
  });
});

describe("a program that ends without closing anything", () => {
  it("loses nothing of what it wrote", () => {
    const mapped = join(folder, "mapped");
    fs.writeFileSync(mapped, "old");
    const file = mapFile(mapped, { ram: 2 ** 20, writable: true });
    file.write(0, new TextEncoder().encode("new"));
    const kernel = new Kernel({ ram: 2 ** 20, root: nodeFs(folder) });
    const guest = kernel.spawn();
    guest.write(guest.open("/written", O_RDWR | O_CREAT, 0o644), new TextEncoder().encode("text"));
    // What Node does when the program is over; vitest itself goes on.
    for (const listener of process.listeners("exit")) {
      if (listener.name === "writeBackAtExit") listener.call(process, 0);
    }
    expect(fs.readFileSync(mapped, "utf8")).toBe("new");
    expect(fs.readFileSync(join(folder, "written"), "utf8")).toBe("text");
    guest.exit();
    file.close();
  });

  it("is no longer watched once all is closed", () => {
    const watched = (): number =>
      process.listeners("exit").filter(({ name }) => name === "writeBackAtExit").length;
    const path = join(folder, "file");
    fs.writeFileSync(path, "old");
    const before = watched();
    mapFile(path, { ram: 2 ** 20, writable: true }).close();
    expect(watched()).toBe(before);
  });
});
