/** How long the status page waits before it asks again. Pure. */

const EVERY_MS = 5_000;
const LONGEST_MS = 60_000;

/** Milliseconds of pause after so many failures in a row. */
export function pauseMs(failures) {
  return Math.min(LONGEST_MS, EVERY_MS * 2 ** failures);
}
