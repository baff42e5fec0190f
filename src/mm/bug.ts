/** An invariant of Faultline's own that does not hold: never a program's fault. Stops loudly with what was found. */
export class BugError extends Error {
  override readonly name = "BugError";

  /** @param where function that noticed; @param finding what was found there */
  constructor(where: string, finding: string) {
    super(`faultline bug in ${where}: ${finding}`);
  }
}
