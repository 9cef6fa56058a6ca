/**
 * Calls `begin` once somebody looks at the page: at once when it is visible.
 *
 * A page that a browser or a crawler loads ahead, and a tab that was opened in the background and
 * never looked at, starts no server.
 */
export function whenSeen(begin, page = document) {
  const isSeen = () => page.visibilityState === "visible" && !page.prerendering;
  if (isSeen()) {
    begin();
    return;
  }
  const look = () => {
    if (!isSeen()) return;
    page.removeEventListener("visibilitychange", look);
    page.removeEventListener("prerenderingchange", look);
    begin();
  };
  page.addEventListener("visibilitychange", look);
  page.addEventListener("prerenderingchange", look);
}
