/** Prints docs/metrics.md, out of what the build has made of the table of metrics. */
const { metricsPage } = await import(new URL('../dist/src/node/metrics/page.js', import.meta.url));
process.stdout.write(metricsPage());
