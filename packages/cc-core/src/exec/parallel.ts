import {availableParallelism} from 'node:os'

/**
 * Do the same for each of many, on all processors. After a failure nothing new is begun, and what was begun comes to its
 * end before this does, so that whoever cleans up afterwards is alone.
 * @returns the results in the order of the items
 * @throws the first failure
 */
export async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  const waiting = [...items.entries()]
  let failure: {error: unknown} | undefined
  const take = async () => {
    for (let next = waiting.shift(); next !== undefined && failure === undefined; next = waiting.shift()) {
      const [index, item] = next
      try {
        results[index] = await work(item)
      } catch (error) {
        failure ??= {error}
      }
    }
  }
  await Promise.all(Array.from({length: availableParallelism()}, take))
  if (failure !== undefined) throw failure.error
  return results
}
