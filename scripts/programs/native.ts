/** Programs of the native file system, run on this machine with their own dynamic linker and libraries. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** The command line that runs `args`, a program of `root` by its name and its arguments. Throws where it is not there. */
export function nativeCommand(root: string, args: readonly string[]): string[] {
  const [name, ...rest] = args;
  const program = ["usr/bin", "usr/sbin"].map((folder) => join(root, folder, name)).find(existsSync);
  const libraries = join(root, "usr/lib");
  const triplet = existsSync(libraries)
    ? readdirSync(libraries).find((one) => one.endsWith("-linux-gnu"))
    : undefined;
  const linker = ["lib64", "lib"]
    .flatMap((folder) => {
      const at = join(root, folder);
      return existsSync(at) ? readdirSync(at).map((one) => join(at, one)) : [];
    })
    .find((one) => /\/ld[^/]*\.so\.\d$/.test(one));
  if (program === undefined || triplet === undefined || linker === undefined)
    throw new Error(`no ${name} in ${root}`);
  // Some packages keep libraries in a folder of their own, and name it from "/".
  const path = [join(libraries, triplet), join(libraries, triplet, "ceph")].join(":");
  return [linker, "--library-path", path, program, ...rest];
}
