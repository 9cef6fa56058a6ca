/**
 * Where the browser goes when the server is ready. Pure.
 *
 * The path to open comes from the link, so from anybody: whatever it says, the answer
 * stays under the address of the server that the federation named.
 */

/** The address, or null when `readyUrl` is not a web address. `query` is the page's own. */
export function serverUrl(readyUrl, token, query) {
  const base = webUrl(readyUrl);
  if (base === null) return null;
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const target = resolveBelow(base, wantedPath(query)) ?? new URL(base);
  if (target.searchParams.has("token")) target.searchParams.delete("token");
  if (token) {
    const separator = target.search ? "&" : "?";
    target.search += `${separator}token=${encodeURIComponent(token)}`;
  }
  return target.href;
}

/** The path below the server, escaped where it names a file; "" for the server's default. */
function wantedPath(query) {
  const values = new URLSearchParams(query);
  const file = values.get("labpath") || values.get("filepath");
  if (file) return `lab/tree/${escapeFile(file)}`;
  return (values.get("urlpath") ?? "").replace(/^[/\\\s]+/, "");
}

function escapeFile(path) {
  return path.split("/").filter(Boolean).map(encodeURIComponent).join("/");
}

function resolveBelow(base, path) {
  if (!path) return null;
  const target = webUrl(`./${path}`, base);
  const isBelow = target !== null && target.origin === base.origin
    && target.pathname.startsWith(base.pathname);
  return isBelow ? target : null;
}

function webUrl(text, base) {
  try {
    const url = new URL(text, base);
    return url.protocol === "https:" || url.protocol === "http:" ? url : null;
  } catch {
    return null;
  }
}
