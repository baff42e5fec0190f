/**
 * The environment of the program: small and clean.
 *
 * A program that is only looked at must not read the tokens and passwords that a shell's environment tends to hold, so
 * nothing of it is passed through unasked, TERM aside.
 */

/** The variables as "KEY=VALUE". @param wishes `--env` as given: KEY=VALUE, or KEY to pass the host's on */
export function guestEnvironment(
  wishes: readonly string[],
  host: Readonly<Record<string, string | undefined>>,
): string[] {
  const variables = new Map([
    ["PATH", "/usr/local/bin:/usr/bin:/bin"],
    ["HOME", "/"],
    ["LANG", "C.UTF-8"],
  ]);
  if (host.TERM !== undefined) variables.set("TERM", host.TERM);
  for (const wish of wishes) {
    const equals = wish.indexOf("=");
    if (equals >= 0) {
      variables.set(wish.slice(0, equals), wish.slice(equals + 1));
    } else {
      const value = host[wish];
      if (value !== undefined) variables.set(wish, value);
    }
  }
  return [...variables].map(([key, value]) => `${key}=${value}`);
}
