/** The tab's title and icon show how the launch stands, for who looks elsewhere meanwhile. */

const TITLES = {
  waiting: "Starting",
  building: "Building",
  launching: "Launching",
  ready: "Ready:",
  failed: "Failed:",
};

const ICON_STATES = {
  fetching: "building", building: "building", pushing: "building",
  built: "launching", launching: "launching", ready: "ready", failed: "failed",
};

export class TabState {
  #shown = "";

  constructor({ icon, icons, repository }) {
    Object.assign(this, { icon, icons, repository });
    this.plainIcon = icon.href;
  }

  show(phase) {
    const state = ICON_STATES[phase] ?? "waiting";
    if (state === this.#shown) return;
    this.#shown = state;
    document.title = `${TITLES[state]} ${this.repository}`;
    this.icon.href = this.icons[state] ?? this.plainIcon;
  }
}
