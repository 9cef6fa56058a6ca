/**
 * Puts text on the clipboard. Browsers offer the Clipboard API only on https and on
 * localhost, so there is a fallback that copies from a selected field.
 */

/** Resolves to whether the text was copied. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyFromField(text); // no such API here, or no permission for it
  }
}

function copyFromField(text) {
  const focused = document.activeElement;
  const field = document.createElement("textarea");
  field.value = text;
  field.className = "visually-hidden";
  field.setAttribute("aria-hidden", "true");
  document.body.append(field);
  field.select();
  const wasCopied = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return wasCopied;
}

/** Makes `button` copy what `text()` gives, and say so on itself and to `status`. */
export function makeCopyButton(button, text, status) {
  const label = button.textContent;
  let timer = 0;
  button.addEventListener("click", async () => {
    const wasCopied = await copyText(text());
    button.textContent = wasCopied ? "Copied" : "Not copied";
    if (status) status.textContent = wasCopied ? "Copied." : "The browser did not allow copying.";
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = label;
      if (status) status.textContent = "";
    }, 2500);
  });
}
