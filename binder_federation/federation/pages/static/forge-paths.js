/**
 * What a web address of a code forge says after the host: repository, ref and file.
 *
 * `…/tree/a/b/c` may be the branch `a/b/c`, or the folder `b/c` of the branch `a`; the
 * address alone does not tell. A branch with a usual name ends after its first part.
 * Else a folder's address is read as one long branch, and a file's as branch and file.
 */

const USUAL_REF = /^(main|master|HEAD|develop|dev|trunk|gh-pages|[0-9a-f]{40}|v?\d+(\.\d+)*)$/;

/** The kinds of page that show a ref: whether what follows the ref is a file. */
const VIEWS = { tree: false, blob: true, raw: true, blame: true, edit: true, commit: false, commits: false };

/** Splits the parts after `tree` or `blob` into `{ref, path, isGuess}`. */
export function splitRefAndPath(parts, isFile) {
  const isPrefixed = parts[0] === "refs" && (parts[1] === "heads" || parts[1] === "tags");
  const rest = isPrefixed ? parts.slice(2) : parts;
  if (rest.length < 2 || USUAL_REF.test(rest[0])) {
    return { ref: rest[0] ?? "", path: rest.slice(1).join("/"), isGuess: false };
  }
  if (!isFile) return { ref: rest.join("/"), path: "", isGuess: true };
  return { ref: rest[0], path: rest.slice(1).join("/"), isGuess: rest.length > 2 };
}

/**
 * Reads the parts of an address's path. `repositoryDepth` is how many parts name the
 * repository where nothing else tells (2 for `owner/name`; Infinity takes all of them).
 */
export function readForgePath(parts, repositoryDepth = Infinity) {
  return readGitLab(parts) ?? readGitea(parts) ?? readGitHub(parts) ?? readBitbucket(parts)
    ?? answer(parts.slice(0, repositoryDepth));
}

function answer(repository, found = {}) {
  return { repository: repository.join("/"), ref: "", path: "", isGuess: false, ...found };
}

/** `group/…/name/-/blob/<ref>/<path>` */
function readGitLab(parts) {
  const dash = parts.indexOf("-", 2);
  if (dash < 0) return null;
  const [view, ...rest] = parts.slice(dash + 1);
  if (view === "tags") return answer(parts.slice(0, dash), { ref: rest.join("/") });
  const isFile = VIEWS[view];
  return answer(parts.slice(0, dash), isFile === undefined ? {} : splitRefAndPath(rest, isFile));
}

/** `owner/name/src/branch/<ref>/<path>` */
function readGitea(parts) {
  if (parts[2] !== "src" || !["branch", "tag", "commit"].includes(parts[3])) return null;
  return answer(parts.slice(0, 2), splitRefAndPath(parts.slice(4), looksLikeFile(parts)));
}

/** `owner/name/blob/<ref>/<path>`, `owner/name/releases/tag/<tag>` */
function readGitHub(parts) {
  const [, , view, ...rest] = parts;
  if (view === "releases" && rest[0] === "tag") {
    return answer(parts.slice(0, 2), { ref: rest.slice(1).join("/") });
  }
  const isFile = Object.hasOwn(VIEWS, view ?? "") ? VIEWS[view] : undefined;
  return isFile === undefined ? null : answer(parts.slice(0, 2), splitRefAndPath(rest, isFile));
}

/** `owner/name/src/<ref>/<path>` */
function readBitbucket(parts) {
  if (parts[2] !== "src" || parts.length < 4) return null;
  return answer(parts.slice(0, 2), { ref: parts[3], path: parts.slice(4).join("/") });
}

function looksLikeFile(parts) {
  return /\.[A-Za-z0-9]+$/.test(parts.at(-1) ?? "");
}
