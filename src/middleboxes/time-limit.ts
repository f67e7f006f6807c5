/** What a promise settles to, or a rejection when it takes longer than timeoutMs. What it waits for is not stopped. */
export async function withTimeout<T>(work: Promise<T>, timeoutMs: number, error: () => Error): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(error()), timeoutMs);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
