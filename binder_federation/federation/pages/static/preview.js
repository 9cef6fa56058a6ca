/**
 * Shows the notebook that the link opens, once there is something to wait for.
 *
 * It is asked for after a moment, so that a launch which is ready at once asks nothing,
 * and again a little later: at first the ref may not be resolved yet. No preview is no
 * failure, so nothing is said then.
 */

const ASK_AFTER_MS = [1000, 3000, 8000];

/** Shows the preview at `url` in `frame` of `card`; `isWanted()` is asked before each try. */
export function showPreview({ card, frame, url, isWanted }) {
  const ask = async (tries) => {
    if (!isWanted()) return;
    if (await isThere(url)) {
      frame.src = url;
      card.hidden = false;
    } else {
      later(tries);
    }
  };
  const later = ([wait, ...rest]) => {
    if (wait) setTimeout(() => ask(rest), wait);
  };
  later(ASK_AFTER_MS);
}

async function isThere(url) {
  try {
    return (await fetch(url, { method: "HEAD", signal: AbortSignal.timeout(25_000) })).status === 200;
  } catch {
    return false; // the network: the launch itself tells of it
  }
}
