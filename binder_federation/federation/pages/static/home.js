/** The home page: the form becomes a launch link as it is filled in. */

import { makeBadges } from "./badges.js";
import { makeCopyButton } from "./copy.js";
import { launchLink } from "./launch-link.js";
import { showMembers } from "./members.js";
import { parseLink } from "./parse-link.js";

const TYPING_PAUSE_MS = 700;
const config = JSON.parse(document.getElementById("home-config").textContent);
const siteUrl = config.publicUrl ?? location.origin + config.base;
const element = (id) => document.getElementById(id);
const [form, repository, provider, ref, path, pathKind] = [
  "launch-form", "repository", "provider", "ref", "path", "path-kind",
].map(element);
const providers = new Map(config.providers.map((each) => [each.id, each]));

/** What the pasted address said, or null; `filled` is what it put into other fields. */
let found = null;
let filled = {};
let pause = 0;

function readRepository() {
  const text = repository.value.trim();
  const answer = text ? parseLink(text, config.providers, provider.value) : null;
  found = answer && !answer.error ? answer : null;
  if (found) fillFields(found);
  return answer;
}

/** A field follows the address as long as the visitor has not written in it. */
function fillFields(answer) {
  for (const [field, value] of [[ref, answer.ref], [path, answer.path]]) {
    const isOurs = field.value === "" || field.value === filled[field.id];
    if (value || isOurs) {
      if (field === path && value) pathKind.value = answer.pathKind;
      field.value = value;
      filled[field.id] = value;
    }
  }
}

/** The choice that the whole form makes, or null. */
function choice() {
  if (!found) return null;
  const data = providers.get(found.provider);
  const hasRef = data?.ref?.enabled ?? true;
  return {
    provider: found.provider,
    repository: found.repository,
    ref: hasRef ? ref.value.trim() || data?.ref?.default || "HEAD" : "",
    path: path.value.trim().replace(/^\/+/, ""),
    pathKind: pathKind.value,
  };
}

function fieldErrors() {
  const bad = /[\u0000-\u001f\u007f]/;
  const refText = ref.value.trim();
  return {
    ref: /[\s~^:?*[\\]|\.\.|^-|^\/|\/$/.test(refText) ? "A branch, tag or commit has no such characters." : "",
    path: /^[a-z]+:\/\//i.test(path.value.trim()) || bad.test(path.value)
      ? "This is a whole address. Give the path inside the repository or server." : "",
  };
}

function showMessage(field, text, isError) {
  const message = element(`${field.id}-message`);
  const shown = text || message.dataset.hint || "";
  if (message.textContent !== shown) message.textContent = shown;
  message.classList.toggle("error", isError);
  field.toggleAttribute("aria-invalid", isError);
  if (isError) field.setAttribute("aria-invalid", "true");
}

function showShare() {
  const errors = fieldErrors();
  const isUsable = !errors.ref && !errors.path;
  const chosen = isUsable ? choice() : null;
  const sample = { provider: "gh", repository: "owner/repository", ref: "HEAD" };
  const link = launchLink(siteUrl, chosen ?? sample, providers.get((chosen ?? sample).provider));
  const texts = { link, ...makeBadges(siteUrl, link) };
  for (const [name, text] of Object.entries(texts)) element(`${name}-text`).textContent = text;
  element("share").classList.toggle("is-sample", !chosen);
  for (const button of document.querySelectorAll("[data-copy]")) button.disabled = !chosen;
  const preview = element("badge-preview");
  if (chosen) preview.href = link;
  else preview.removeAttribute("href");
  showMessage(ref, errors.ref, Boolean(errors.ref));
  showMessage(path, errors.path, Boolean(errors.path));
  return chosen ? link : null;
}

function showRepositoryMessage(answer, mayComplain) {
  if (answer?.error && !mayComplain) return;
  showMessage(repository, answer?.error || answer?.note || "", Boolean(answer?.error));
}

/** Complaining waits until the visitor stops typing; praise and links come at once. */
function update({ mayComplain }) {
  const answer = readRepository();
  showRepositoryMessage(answer, mayComplain);
  followRef();
  showShare();
  clearTimeout(pause);
  if (answer?.error && !mayComplain) {
    pause = setTimeout(() => showRepositoryMessage(answer, true), TYPING_PAUSE_MS);
  }
}

function launch(event) {
  event.preventDefault();
  update({ mayComplain: true });
  const link = showShare();
  if (link) {
    // The link's own path at the address that this visitor uses, whatever the public one is.
    location.assign(location.origin + config.base + link.slice(siteUrl.replace(/\/+$/, "").length));
    return;
  }
  if (!repository.value.trim()) showMessage(repository, "Paste a repository’s address first.", true);
  const wrong = [repository, ref, path].find((field) => field.getAttribute("aria-invalid"));
  (wrong ?? repository).focus();
}

function followProvider() {
  const data = providers.get(provider.value);
  element("repository-label").textContent = data?.repo?.label ?? "Repository";
  repository.placeholder = data?.repo?.placeholder ?? "https://github.com/owner/repository";
}

/** A provider without refs takes the field away, whether it was chosen or read. */
function followRef() {
  const data = providers.get(found?.provider ?? provider.value);
  element("ref-field").hidden = data?.ref?.enabled === false;
  ref.placeholder = data?.ref?.default ?? "HEAD";
}

for (const { id, displayName } of config.providers) provider.append(new Option(displayName, id));
repository.addEventListener("input", (event) => update({ mayComplain: event.inputType === "insertFromPaste" }));
repository.addEventListener("change", () => update({ mayComplain: true }));
provider.addEventListener("change", () => { followProvider(); update({ mayComplain: true }); });
for (const field of [ref, path, pathKind]) field.addEventListener("input", showShare);
form.addEventListener("submit", launch);
for (const button of document.querySelectorAll("[data-copy]")) {
  makeCopyButton(button, () => element(button.dataset.copy).textContent, element("copy-status"));
}
followProvider();
update({ mayComplain: false });
showMembers(element("members"), element("member-list"), `${config.base}/api/members`);
