/**
 * Launches with the npm package `@jupyterhub/binderhub-client` and prints each event as a line.
 *
 * `node launch.mjs <build endpoint> <provider/spec> <options as JSON>`. The package is written for
 * browsers; what it takes from one is here in Node's terms.
 */

console.log = console.error; // the package logs there; our lines go to stdout
process.on("unhandledRejection", () => {}); // it rejects where a launch has failed, after saying so
globalThis.window = globalThis;
globalThis.document = { cookie: "_xsrf=some-token", addEventListener() {}, removeEventListener() {} };

const { BinderRepository } = await import("@jupyterhub/binderhub-client/client.js");

const [endpoint, spec, options] = process.argv.slice(2);
const repository = new BinderRepository(spec, new URL(endpoint), JSON.parse(options));
for await (const event of repository.fetch()) {
  process.stdout.write(`${JSON.stringify(event)}\n`);
  if (event.phase === "ready" || event.phase === "failed") break;
}
repository.close();
