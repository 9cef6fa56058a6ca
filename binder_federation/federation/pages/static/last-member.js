/** Where this tab's last launch of a link was served: a visitor who starts again stays there. */

const PREFIX = "binder-member:";

/** The member of the last launch of `path` in this tab, or "". */
export function recallMember(path) {
  try {
    return sessionStorage.getItem(PREFIX + path) ?? "";
  } catch {
    return ""; // storage is switched off: nothing is remembered
  }
}

/** `path` was served by `member`. */
export function rememberMember(path, member) {
  try {
    sessionStorage.setItem(PREFIX + path, member);
  } catch {
    // switched off or full: then nothing is remembered
  }
}
