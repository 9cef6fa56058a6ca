/**
 * Phases as steps and as a share of the way. Pure: `now` comes in, in seconds.
 *
 * Each phase stands for at least its place on the bar; in between the bar follows the
 * estimate, time passed / (time passed + time left). It goes back only when a launch
 * starts over, at another member.
 */

/** Per phase: the step it belongs to, where it begins on the bar, and what it is called. */
const PHASES = {
  waiting: { step: "prepare", from: 0.02, words: "Getting ready" },
  fetching: { step: "prepare", from: 0.06, words: "Fetching the repository" },
  building: { step: "build", from: 0.12, words: "Building the image" },
  pushing: { step: "build", from: 0.55, words: "Storing the image" },
  built: { step: "launch", from: 0.6, words: "The image is there" },
  launching: { step: "launch", from: 0.65, words: "Starting your server" },
  ready: { step: "open", from: 1, words: "Ready" },
};

const STEPS = ["prepare", "build", "launch", "open"];
const HIGHEST_BEFORE_READY = 0.97;

export class Progress {
  #startedAt;
  #share = 0;
  #phase = "waiting";

  constructor(now) {
    this.#startedAt = now;
  }

  /** A phase that is not known, or not a step on the way, changes nothing. */
  enter(phase) {
    if (Object.hasOwn(PHASES, phase)) this.#phase = phase;
  }

  /** The way begins again, at another member. */
  startOver() {
    this.#share = 0;
    this.#phase = "waiting";
  }

  get phase() {
    return this.#phase;
  }

  get words() {
    return PHASES[this.#phase].words;
  }

  /** `{step: "done" | "now" | "later"}` for every step. */
  get steps() {
    const at = STEPS.indexOf(PHASES[this.#phase].step);
    const state = (index) => (index < at ? "done" : index === at ? "now" : "later");
    return Object.fromEntries(STEPS.map((step, index) => [step, state(index)]));
  }

  /** 0 to 1. `secondsLeft` may be null. */
  share(secondsLeft, now) {
    const passed = now - this.#startedAt;
    const byTime = secondsLeft === null ? 0 : passed / Math.max(0.001, passed + Math.max(0, secondsLeft));
    const least = PHASES[this.#phase].from;
    const most = this.#phase === "ready" ? 1 : HIGHEST_BEFORE_READY;
    this.#share = Math.max(this.#share, least, Math.min(most, byTime));
    return this.#share;
  }
}
