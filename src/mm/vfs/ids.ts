/**
 * Who a process is (credentials(7)): the user that started it, the one whose rights it has, and the one whose rights it may
 * take again. The same three of its group.
 */
export interface Ids {
  readonly real: number;
  readonly effective: number;
  readonly saved: number;
}

export function allOf(id: number): Ids {
  return { real: id, effective: id, saved: id };
}

export function isOneOf(id: number, { real, effective, saved }: Ids): boolean {
  return id === real || id === effective || id === saved;
}

export function areAll(id: number, { real, effective, saved }: Ids): boolean {
  return id === real && id === effective && id === saved;
}
