/**
 * The launch as the page shows it. It is told what to show and decides nothing;
 * `launch.js` tells it.
 *
 * The announcer speaks phase changes and failures to screen readers, and only those:
 * neither log lines nor the running seconds.
 */

const element = (id) => document.getElementById(id);

export class LaunchView {
  #card = element("launch");
  #bar = element("progress");
  #failure = element("failure");
  #announced = "";

  showPhase({ words, steps, phase }) {
    this.#card.dataset.state = phase;
    if (element("status").textContent !== words) element("status").textContent = words;
    for (const item of element("steps").children) {
      const state = steps[item.dataset.step];
      item.dataset.state = state;
      if (state === "now") item.setAttribute("aria-current", "step");
      else item.removeAttribute("aria-current");
    }
    this.announce(words);
  }

  /** `share` from 0 to 1, `estimate` in words. */
  showProgress(share, words, estimate) {
    const percent = Math.round(share * 100);
    this.#bar.setAttribute("aria-valuenow", percent);
    this.#bar.setAttribute("aria-valuetext", estimate ? `${words}, ${estimate}` : words);
    element("progress-bar").style.width = `${(share * 100).toFixed(1)}%`;
    if (element("eta").textContent !== estimate) element("eta").textContent = estimate;
  }

  /** The member that has the launch, and why: one phrase, which mostly names it. */
  showMember(name, reason) {
    const [before, after] = splitAt(reason || name, name);
    element("member-reason").replaceChildren(before, makeText("strong", "member-name", name), after);
    element("member").hidden = !name;
  }

  /** One line that stays, such as a failover. */
  addNotice(text) {
    element("notices").append(makeText("p", "", text));
  }

  /** One line for as long as it is true; "" takes it away. */
  showConnection(text) {
    document.querySelector("#notices .connection")?.remove();
    if (!text) return;
    this.addNotice(text);
    element("notices").lastElementChild.className = "connection";
  }

  showReady(url) {
    element("ready-link").href = url;
    element("ready").hidden = false;
  }

  /**
   * `failure` is what `describeFailure` gives, `buttons` are `{text, onClick}` or
   * `{text, href}`. Returns a function that replaces the line about waiting.
   */
  showFailure(failure, { repositoryUrl, buttons, state = "failed" }) {
    this.#card.dataset.state = state;
    element("status").textContent = failure.title;
    element("eta").textContent = "";
    this.#bar.setAttribute("aria-valuetext", failure.title);
    const wait = makeText("p", "wait", "");
    this.#failure.replaceChildren(
      ...[
        failure.message && makeText("p", "failure-message", failure.message),
        failure.blame && makeText("p", "failure-blame", failure.blame),
        failure.advice && makeText("p", "failure-advice", failure.advice),
        failure.isRepositorys && repositoryUrl && makeRepositoryLine(repositoryUrl),
        wait,
        makeButtons(buttons),
      ].filter(Boolean),
    );
    this.#failure.hidden = false;
    this.announce(`${failure.title}. ${failure.message}`);
    return (text) => { wait.textContent = text; };
  }

  clearFailure() {
    this.#failure.hidden = true;
    this.#failure.replaceChildren();
    element("ready").hidden = true;
  }

  clearNotices() {
    element("notices").replaceChildren();
  }

  announce(text) {
    if (text === this.#announced) return;
    this.#announced = text;
    element("announcer").textContent = text;
  }
}

/** What stands before and after `name` in `phrase`; a phrase without it comes after. */
function splitAt(phrase, name) {
  const at = phrase.indexOf(name);
  return at < 0 ? ["", ` ${phrase}`] : [phrase.slice(0, at), phrase.slice(at + name.length)];
}

function makeText(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function makeRepositoryLine(url) {
  const line = makeText("p", "failure-repository", "The repository: ");
  const link = makeText("a", "", url);
  link.href = url;
  link.rel = "noopener";
  line.append(link);
  return line;
}

function makeButtons(buttons) {
  const line = makeText("p", "actions", "");
  for (const { text, onClick, href } of buttons) {
    const button = makeText(href ? "a" : "button", href ? "button" : "", text);
    if (href) button.href = href;
    else button.type = "button";
    if (onClick) button.addEventListener("click", onClick);
    line.append(button);
  }
  line.firstElementChild?.classList.add("primary");
  return line;
}
