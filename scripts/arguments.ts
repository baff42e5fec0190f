/** Arguments of the commands that `npm run` starts: --help, and what is wrong with them in a line. */
import { type ParseArgsConfig, parseArgs } from "node:util";

type Parsed<T extends ParseArgsConfig> = ReturnType<typeof parseArgs<T>>;

/** As parseArgs. `--help` prints `usage` and ends the process; what is not known ends it with status 2. */
export function parseOrExplain<const T extends ParseArgsConfig>(usage: string, config: T): Parsed<T> {
  if (process.argv.slice(2).includes("--help")) {
    console.log(usage);
    process.exit(0);
  }
  try {
    return parseArgs(config);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    if (!(error instanceof Error) || !code.startsWith("ERR_PARSE_ARGS")) throw error;
    refuse(error.message);
  }
}

/** Says what is wrong with an argument, and ends the process. */
export function refuse(message: string): never {
  console.error(`${message}; --help tells more`);
  process.exit(2);
}
