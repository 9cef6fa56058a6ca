/**
 * Launch links: from a choice to a link, and from a link's spec back to a choice.
 *
 * A choice is `{provider, repository, ref, path, pathKind}`. The repository of most
 * providers is one escaped part of the path; GitHub's and a gist's are two plain ones.
 */

const DEPTH = { gh: 2, gist: 2 };
const WHOLE = new Set(["zenodo", "figshare", "dataverse", "hydroshare"]);

/** Escapes all but the slash, so that a ref or path stays readable. */
export function escapePath(text) {
  return encodeURIComponent(text).replaceAll("%2F", "/");
}

/** The spec in a launch link, after `v2/<provider>/`. */
export function formatSpec({ provider, repository, ref }) {
  if (WHOLE.has(provider)) return escapePath(repository);
  const depth = DEPTH[provider] ?? 1;
  const name = depth === 1 ? encodeURIComponent(repository) : escapePath(repository);
  return ref ? `${name}/${escapePath(ref)}` : name;
}

/** `{repository, ref}` of a link's spec (still escaped), or null if it is malformed. */
export function readSpec(provider, rawSpec) {
  try {
    if (WHOLE.has(provider)) return { repository: decodeURIComponent(rawSpec), ref: "" };
    const parts = rawSpec.split("/");
    const depth = DEPTH[provider] ?? 1;
    if (parts.length < depth || parts.slice(0, depth).includes("")) return null;
    return {
      repository: parts.slice(0, depth).map(decodeURIComponent).join("/"),
      ref: parts.slice(depth).map(decodeURIComponent).join("/"),
    };
  } catch {
    return null; // a stray "%": decodeURIComponent refuses it
  }
}

/** The path of a launch link, from `v2/` on. */
export function launchPath(choice) {
  const path = `v2/${choice.provider}/${formatSpec(choice)}`;
  if (!choice.path) return path;
  const name = choice.pathKind === "url" ? "urlpath" : "labpath";
  return `${path}?${name}=${escapePath(choice.path)}`;
}

/** The launch link of `choice` at the federation `siteUrl`. */
export function launchLink(siteUrl, choice) {
  return `${siteUrl.replace(/\/+$/, "")}/${launchPath(choice)}`;
}
