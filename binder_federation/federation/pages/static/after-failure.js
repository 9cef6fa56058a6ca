/**
 * What a visitor can do after a failure: buttons, and a clock where waiting helps.
 *
 * When no member has room the page tries again by itself, unless told to stop. After a
 * rate limit it only counts: trying again by itself would use up what was given back.
 */

const TICK_MS = 250;

export class AfterFailure {
  #timer = 0;

  /** Called are `onStart()`, `onResume(failure)` and `onStartElsewhere(member)`. */
  constructor({ view, repositoryUrl, homeUrl, onStart, onResume, onStartElsewhere }) {
    Object.assign(this, { view, repositoryUrl, homeUrl, onStart, onResume, onStartElsewhere });
  }

  /** Shows a failure, as `describeFailure` gives it. */
  show(failure) {
    this.cancel();
    if (failure.isAutomatic) {
      this.#waitForRoom(failure);
      return;
    }
    const say = this.#show(failure, this.#buttons(failure));
    if (failure.waitSeconds !== null) this.#countDown(failure.waitSeconds, say);
  }

  cancel() {
    clearInterval(this.#timer);
  }

  #show(failure, buttons, more = {}) {
    return this.view.showFailure(failure, { repositoryUrl: this.repositoryUrl, buttons, ...more });
  }

  #buttons(failure) {
    const again = { text: "Try again", onClick: () => this.onResume(failure) };
    const elsewhere = {
      text: "Try another member", onClick: () => this.onStartElsewhere(failure.member),
    };
    if (failure.isRequests) return [again, { text: "Make a new link", href: this.homeUrl }];
    return failure.member ? [again, elsewhere] : [again];
  }

  #countDown(waitSeconds, say) {
    this.#every(waitSeconds, (left) => {
      say(left > 0 ? `You can launch again in ${inWords(left)}.` : "You can launch again now.");
      if (left <= 0) this.cancel();
    });
  }

  #waitForRoom(failure) {
    const shown = { ...failure, title: "Waiting for room", blame: "", advice: "" };
    const stop = () => {
      this.cancel();
      this.#show(failure, this.#buttons(failure));
    };
    const buttons = [
      { text: "Try now", onClick: () => this.onStart() },
      { text: "Stop waiting", onClick: stop },
    ];
    const say = this.#show(shown, buttons, { state: "waiting-for-room" });
    this.#every(failure.waitSeconds, (left) => {
      if (left <= 0) this.onStart();
      else say(`Trying again in ${inWords(left)}.`);
    });
  }

  /** Calls `tell(secondsLeft)` now and as they pass. */
  #every(waitSeconds, tell) {
    const until = performance.now() / 1000 + waitSeconds;
    const count = () => tell(Math.ceil(until - performance.now() / 1000));
    this.#timer = setInterval(count, TICK_MS);
    count();
  }
}

/** `45 s`, `12 min 5 s`, `1 h 3 min`. */
export function inWords(seconds) {
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
