/**
 * Launch links: from a choice to a link, and from a link's spec back to a choice.
 *
 * A choice is `{provider, repository, ref, path, pathKind}`. How a spec is written follows
 * from the provider's display data: without refs it is the repository alone (a DOI); an
 * escaped repository is one part of the path; else it is two, as GitHub's.
 */

const USUAL_SHAPES = { gh: 2, gist: 2, zenodo: 0, figshare: 0, dataverse: 0, hydroshare: 0, ckan: 0 };

/** How many parts of a spec name the repository; 0 for all of them. */
function depthOf(provider, display) {
  if (!display) return USUAL_SHAPES[provider] ?? 1;
  if (display.ref?.enabled === false) return 0;
  return display.repo?.urlEncode ? 1 : 2;
}

/** Escapes all but the slash, so that a ref or path stays readable. */
export function escapePath(text) {
  return encodeURIComponent(text).replaceAll("%2F", "/");
}

/** The spec in a launch link, after `v2/<provider>/`. */
export function formatSpec({ provider, repository, ref }, display) {
  const depth = depthOf(provider, display);
  const isOnePart = depth === 1 || repository.includes("://");
  const name = isOnePart ? encodeURIComponent(repository) : escapePath(repository);
  return ref && depth > 0 ? `${name}/${escapePath(ref)}` : name;
}

/** `{repository, ref}` of a link's spec (still escaped), or null if it is malformed. */
export function readSpec(provider, rawSpec, display) {
  try {
    const depth = depthOf(provider, display);
    if (depth === 0) return { repository: decodeURIComponent(rawSpec), ref: "" };
    const parts = rawSpec.split("/");
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
export function launchPath(choice, display) {
  const path = `v2/${choice.provider}/${formatSpec(choice, display)}`;
  if (!choice.path) return path;
  const name = choice.pathKind === "url" ? "urlpath" : "labpath";
  return `${path}?${name}=${escapePath(choice.path)}`;
}

/** The launch link of `choice` at the federation `siteUrl`. */
export function launchLink(siteUrl, choice, display) {
  return `${siteUrl.replace(/\/+$/, "")}/${launchPath(choice, display)}`;
}
