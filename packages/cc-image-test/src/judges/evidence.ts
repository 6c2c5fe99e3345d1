import {failed, type Verdict} from 'cc-core/report'

/** Evidence as it may arrive: any part of it may be missing. */
export type Incomplete<T> = {readonly [K in keyof T]?: T[K] | undefined}

/**
 * A judge that fails where part of its evidence is missing, before it looks at the rest. What is wrong with the form of
 * evidence is the judge's own to find.
 * @param parts every part of the evidence that has to be there
 */
export const judging =
  <Seen extends object>(...parts: readonly (keyof Seen & string)[]) =>
  <Expected = void>(judge: (seen: Seen, expected: Expected) => Verdict) =>
  (seen: Incomplete<Seen>, expected: Expected): Verdict => {
    const missing = parts.filter((part) => seen[part] === undefined)
    return missing.length > 0 ? failed(`there is no evidence of ${missing.join(', ')}`) : judge(seen as Seen, expected)
  }
