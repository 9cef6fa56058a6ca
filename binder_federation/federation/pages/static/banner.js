/** The banner's button: who closes it does not see it again until it says something else. */

const KEY = "binder-federation.banner-closed";
const banner = document.getElementById("banner");
const text = banner.querySelector(".banner-text").textContent.trim();

function readClosed() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null; // storage is switched off in this browser
  }
}

function close() {
  banner.hidden = true;
  try {
    localStorage.setItem(KEY, text);
  } catch {
    // storage is switched off: it is closed on this page only
  }
}

if (readClosed() === text) {
  banner.hidden = true;
} else {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = "Close";
  button.setAttribute("aria-label", "Close the notice");
  button.addEventListener("click", close);
  banner.append(button);
}
